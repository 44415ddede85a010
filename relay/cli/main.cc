#include "relay/cli/commands.h"

#include <cstdio>
#include <exception>

int main(int count, char** words) {
  try {
    sallyport::cli::Context context;
    return sallyport::cli::run(context, {words + 1, words + count});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sallyport: %s\n", e.what());
    return sallyport::cli::kFailed;
  }
}
