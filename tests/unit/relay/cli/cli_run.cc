#include "tests/unit/relay/cli/cli_run.h"

#include <cstdlib>

namespace sallyport::test {

Ran run_cli(const std::vector<std::string>& words, const Surroundings& around) {
  char* out_text = nullptr;
  char* err_text = nullptr;
  std::size_t out_size = 0, err_size = 0;
  cli::Context context;
  auto in = around.in;
  context.in = in.empty() ? std::fopen("/dev/null", "rb") : ::fmemopen(in.data(), in.size(), "rb");
  context.out = ::open_memstream(&out_text, &out_size);
  context.err = ::open_memstream(&err_text, &err_size);
  context.environment = [&](const char* name) {
    const auto it = around.environment.find(name);
    return it == around.environment.end() ? std::string() : it->second;
  };
  if (around.tune) around.tune(context);
  const int code = cli::run(context, words);
  for (auto* file : {context.in, context.out, context.err}) std::fclose(file);
  Ran ran{code, std::string(out_text, out_size), std::string(err_text, err_size)};
  std::free(out_text);
  std::free(err_text);
  return ran;
}

}  // namespace sallyport::test
