# Run by sallyport_embed(): writes INPUT as a raw string literal into OUTPUT.
file(READ ${INPUT} text)
file(WRITE ${OUTPUT} "#include <string_view>

#pragma GCC diagnostic ignored \"-Woverlength-strings\"

namespace sallyport::embedded {
extern const std::string_view ${NAME};
const std::string_view ${NAME} = R\"embedded(${text})embedded\";
}  // namespace sallyport::embedded
")
