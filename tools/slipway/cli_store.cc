// `slipway store check`: is what the store says true?
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/files.h"
#include "base/strings.h"
#include "content/store.h"
#include "slipway/command.h"
#include "slipway/open_store.h"

namespace slipway {

void add_store_command(CLI::App& app, Chosen& chosen) {
  CLI::App* store = app.add_subcommand("store", "Look after the store");
  store->require_subcommand(1);
  CLI::App* check =
      store->add_subcommand("check", "Check that every record points at what it says; repairs nothing");
  auto quick = std::make_shared<bool>(false);
  check->add_flag("--quick", *quick, "Do not read the blobs' bytes");
  check->callback([quick, &chosen] {
    chosen.confined = true;  // snapshots hold files of many owners
    chosen.run = [quick](CommandContext& context) {
      const auto opened = open_store(context);
      const std::vector<StoreProblem> problems = opened->check(!*quick);
      std::string text;
      for (const StoreProblem& problem : problems)
        text += concat(problem.fatal ? "broken: " : "note: ", problem.what, "\n");
      const bool broken = std::ranges::any_of(problems, &StoreProblem::fatal);
      text += broken ? "the store is damaged\n" : "the store is clean\n";
      write_all(STDOUT_FILENO, text, "stdout");
      return broken ? 3 : 0;
    };
  });
}

}  // namespace slipway
