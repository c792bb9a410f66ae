// `slipway explain`: which steps of a build had results, and why the others ran.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "build/build_plan.h"
#include "history/history_directory.h"
#include "registry/client.h"
#include "slipway/build_flags.h"
#include "slipway/build_record.h"
#include "slipway/cli_llb.h"
#include "slipway/command.h"
#include "slipway/explain_text.h"
#include "slipway/named_value.h"
#include "slipway/open_store.h"
#include "slipway/terminal_text.h"

namespace slipway {

namespace {

struct ExplainFlags {
  std::string build, format = "text";
  bool plan = false;
  BuildFlags build_flags;
};

void print(const ExplainFlags& flags, const BuildRecord& build, const std::vector<StepExplanation>& told) {
  write_all(STDOUT_FILENO,
            flags.format == "json" ? explanation_json(build, told) : explanation_text(build, told), "stdout");
}

void warn(const std::string& text) { std::cerr << "WARNING: " << clean_line(text) << '\n'; }

/// The build that the flags ask for, as it would be now.
int run_plan(const ExplainFlags& flags, CommandContext& context) {
  BuildFlags build_flags = flags.build_flags;
  build_flags.context = flags.build;
  std::optional<Definition> definition;
  if (!build_flags.llb.empty()) definition = read_definition(build_flags.llb);
  BuildRequest request = request_of(build_flags);
  if (definition) request.definition = &*definition;

  // Where no store is, none is made for a look.
  std::optional<TempDir> nothing;
  const HistoryDirectory history(context.store_root);
  if (!std::filesystem::exists(context.store_root / "slipway.db")) {
    nothing.emplace(std::filesystem::path(), "slipway-plan");
    context.store_root = nothing->path();
  }
  const std::unique_ptr<Store> store = open_store(context);
  RegistryClient registry({}, docker_config_credentials(), context.logger);
  BuildRecord start = described_build(request);
  start.id.clear();
  const PlannedBuild planned = plan_build(request, std::move(start), *store, registry, context.stop);
  const ManifestReader manifests = [&](const std::string& name) -> std::optional<FileList> {
    if (const auto known = planned.manifests.find(name); known != planned.manifests.end())
      return known->second;
    const auto text = history.manifest(name);
    return text ? std::optional(parse_file_list(*text)) : std::nullopt;
  };
  for (const std::string& warning : planned.warnings) warn(warning);
  print(flags, planned.record, explain(planned.record, history.read_all(nullptr, warn), manifests));
  return 0;
}

int run(const ExplainFlags& flags, const CommandContext& context) {
  const HistoryDirectory history(context.store_root);
  const HistoryDirectory::Entry entry = history.find(flags.build);
  const BuildRecord build = history.read(entry);
  const ManifestReader manifests = [&](const std::string& name) -> std::optional<FileList> {
    const auto text = history.manifest(name);
    return text ? std::optional(parse_file_list(*text)) : std::nullopt;
  };
  const auto told = explain(build, history.read_all(&entry, warn), manifests);
  print(flags, build, told);
  return 0;
}

constexpr const char* kWithPlan = "Flags of the build, with --plan";

/// The environment's value counts as given to CLI11, but is there for every command.
bool is_of_environment(const CLI::Option& option) {
  const char* value = option.get_envname().empty() ? nullptr : std::getenv(option.get_envname().c_str());
  return value && option.results() == CLI::results_t{value};
}

/// The first flag of a build that was given; empty: none.
std::string build_flag_given(const CLI::App& explain) {
  const auto given = explain.get_options([](const CLI::Option* option) {
    return option->get_group() == kWithPlan && option->count() > 0 && !is_of_environment(*option);
  });
  return given.empty() ? std::string() : given.front()->get_name();
}

/// Of a build that was, it says nothing.
void refuse_build_flag(const std::string& flag) {
  if (flag.empty()) return;
  UsageError error(concat(flag, " is a flag of a build that is yet to be"));
  error.set_hint("with --plan, slipway explain tells of the build that these flags would make");
  throw error;
}

}  // namespace

void add_explain_command(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<ExplainFlags>();
  CLI::App* explain = app.add_subcommand("explain", "Tell why the steps of a build ran");
  explain
      ->add_option("build", flags->build,
                   "Its id, or ^N for the Nth before the last (default: the last); with --plan, the context")
      ->type_name("BUILD|PATH")
      ->check(refuse_no_name);
  explain->add_flag("--plan", flags->plan,
                    "Tell of the build that `slipway build` with these flags would be now; run nothing");
  explain->add_option("--format", flags->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  explain->option_defaults()->group(kWithPlan);
  add_build_flags(*explain, flags->build_flags);
  explain->callback([flags, explain, &chosen] {
    chosen.confined = flags->plan;  // else a file of the history is read, and that is all
    chosen.run = [flags, given = build_flag_given(*explain)](CommandContext& context) {
      if (flags->plan) return run_plan(*flags, context);
      refuse_build_flag(given);
      return run(*flags, context);
    };
  });
}

}  // namespace slipway
