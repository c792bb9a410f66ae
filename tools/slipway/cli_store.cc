// `slipway store check`: is what the store says true? And `--repair`: make it so.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/store.h"
#include "content/store_repair.h"
#include "slipway/command.h"
#include "slipway/open_store.h"

namespace slipway {

namespace {

struct CheckFlags {
  bool quick = false, repair = false;
};

std::string lines_of(const char* what, const std::vector<std::string>& done) {
  std::string text;
  for (const std::string& line : done) text += concat(what, ": ", line, "\n");
  return text;
}

int say(const std::string& findings, bool broken) {
  write_all(STDOUT_FILENO, concat(findings, broken ? "the store is damaged\n" : "the store is clean\n"),
            "stdout");
  return broken ? 3 : 0;
}

int run_check(CommandContext& context, const CheckFlags& flags) {
  std::string text;
  std::unique_ptr<Store> store;
  if (!has_sound_database(context.store_root)) {
    if (!flags.repair)
      return say(
          "broken: the database slipway.db is damaged or lost; `slipway store check --repair` sets it aside "
          "and makes a new one: blobs and images are kept, results of steps are built again\n",
          true);
    text += lines_of("repaired", replace_database(context.store_root, [&]() -> Store& {
                       store = open_store(context);
                       return *store;
                     }));
  }
  if (!store) store = open_store(context);
  if (flags.repair)
    text +=
        lines_of("repaired", repair_store(*store, flags.quick ? StoreReading::Sizes : StoreReading::Bytes));
  const std::vector<StoreProblem> problems = store->check(!flags.quick && !flags.repair);
  for (const StoreProblem& problem : problems)
    text += concat(problem.fatal ? "broken: " : "note: ", problem.what, "\n");
  const bool broken = std::ranges::any_of(problems, &StoreProblem::fatal);
  if (broken && !flags.repair) text += "`slipway store check --repair` forgets what is broken\n";
  return say(text, broken);
}

}  // namespace

void add_store_command(CLI::App& app, Chosen& chosen) {
  CLI::App* store = app.add_subcommand("store", "Look after the store");
  store->require_subcommand(1);
  CLI::App* check = store->add_subcommand("check", "Check that every record points at what it says");
  auto flags = std::make_shared<CheckFlags>();
  check->add_flag("--quick", flags->quick, "Do not read blobs and snapshots, only look whether they are there");
  check->add_flag("--repair", flags->repair,
                  "Forget what is broken: it is pulled or built again. Lost images are named");
  check->callback([flags, &chosen] {
    chosen.confined = true;  // snapshots hold files of many owners
    chosen.run = [flags](CommandContext& context) { return run_check(context, *flags); };
  });
}

}  // namespace slipway
