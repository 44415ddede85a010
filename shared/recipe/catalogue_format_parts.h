#pragma once

#include "shared/recipe/catalogue_tables.h"

// What the actions on formats have in common; private to this folder.
namespace sallyport::recipe::tables {

inline constexpr std::array kEncodings{"utf-8"sv, "iso-8859-1"sv, "windows-1252"sv};
inline constexpr std::array kEmpty{"text"sv, "null"sv};
// With those of the body that is read, a file of a connection perhaps.
inline constexpr std::array kReadErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv, "not_found"sv,
                                        "permission"sv, "too_large"sv, "changed"sv, "format"sv};
inline constexpr std::array kWriteErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv,   "not_found"sv,
                                         "permission"sv, "too_large"sv, "changed"sv, "disk_full"sv, "format"sv};

inline constexpr Field kSource{
    .name = "source", .types = Types::body, .traits = Traits::required, .doc = "the body to read"};
inline constexpr Field kBatch{.name = "batch",
                              .types = Types::integer,
                              .doc = "rows in one item of `batches`, at most",
                              .default_json = "500",
                              .min = 1,
                              .max = 10'000};
inline constexpr Field kRows{.name = "rows",
                             .types = Types::rows | Types::list,
                             .traits = Traits::required,
                             .doc = "a row set, or a list of maps"};

inline constexpr std::array kRowsOutput{
    OutputField{"rows", Types::rows, "every row, as a map by column; `foreach` over it takes one row at a time"},
    OutputField{
        "batches", Types::rows,
        "the same; `foreach` over it takes a list of rows at a time: `batch` of them, fewer when they are over 1 MiB"},
    OutputField{"columns", Types::list, "names of the columns"}};
inline constexpr std::array kFileOutput{OutputField{"file", Types::body, "what was written, in the agent's spool"},
                                        OutputField{"count", Types::integer, "how many rows were written"}};

}  // namespace sallyport::recipe::tables
