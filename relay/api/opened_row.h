#pragma once

#include "relay/api/payloads.h"
#include "relay/jobs/outlines.h"
#include "relay/store/extracts.h"

#include <string_view>

namespace sallyport::api {

// Rows of an export with what is sealed in them opened, as far as the API shows it elsewhere too: what a recipe masks
// is not, and nothing is that the caller may not see. For one answer.
class RowOpener {
 public:
  RowOpener(Services& services, OrgId org, PayloadReader::Access access)
      : services_(services), org_(std::move(org)), reader_(services, access), outlines_(services.stores.recipes) {}

  boost::asio::awaitable<ValueMap> open(store::Extracted row);

  const PayloadReader::Unreadable& unreadable() const { return reader_.unreadable(); }

  // Whether it is opened for those alone who may read payloads.
  static bool is_payload(std::string_view record);
  // Whether it knows what is sealed there ("steps.input"); tests ask it of every column of an export.
  static bool knows(std::string_view record);

 private:
  boost::asio::awaitable<Value> open_cell(std::string_view record, const ValueMap& cells, std::optional<Bytes> sealed);
  boost::asio::awaitable<Value> open_trigger(JobId job, std::optional<Bytes> sealed);

  Services& services_;
  OrgId org_;
  PayloadReader reader_;
  jobs::RecipeOutlines outlines_;
};

}  // namespace sallyport::api
