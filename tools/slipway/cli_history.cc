// `slipway history`: the builds on record.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "history/history_directory.h"
#include "manifest/oci.h"
#include "slipway/command.h"
#include "slipway/named_value.h"
#include "slipway/table.h"
#include "slipway/terminal_text.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

void print(const std::string& text) { write_all(STDOUT_FILENO, text, "stdout"); }

std::size_t steps_that_end(const BuildRecord& build, std::string_view end) {
  return static_cast<std::size_t>(std::ranges::count(build.steps, end, &StepRecord::end));
}

Json summary_json(const BuildRecord& build) {
  return {{"id", build.id},
          {"started", rfc3339(build.started_ms / 1000)},
          {"seconds", build.seconds},
          {"outcome", build.outcome},
          {"platforms", build.platforms},
          {"tags", build.tags},
          {"context", build.context},
          {"dockerfile", build.dockerfile},
          {"target", build.target},
          {"image", build.image},
          {"error", build.error},
          {"steps", build.steps.size()},
          {"cached", steps_that_end(build, "cached")}};
}

Json record_json(const BuildRecord& build) {
  Json json = summary_json(build);
  json["steps"] = Json::array();
  for (const StepRecord& step : build.steps) {
    Json parts = Json::array(), inputs = Json::array(), reads = Json::array();
    for (const KeyPart& part : step.parts)
      parts.push_back({{"name", part.name}, {"value", part.value}, {"hidden", part.hidden}});
    for (const std::size_t input : step.inputs) inputs.push_back(build.steps[input].id);
    for (const ContextRead& read : step.reads)
      reads.push_back({{"context", read.context},
                       {"source", read.source},
                       {"digest", read.digest},
                       {"manifest", read.manifest}});
    json["steps"].push_back({{"id", step.id},
                             {"name", step.name},
                             {"kind", step.kind},
                             {"platforms", step.platforms},
                             {"end", step.end},
                             {"seconds", step.seconds},
                             {"mode", step.mode},
                             {"error", step.error},
                             {"log", step.log},
                             {"key", step.key},
                             {"noCache", step.no_cache},
                             {"parts", std::move(parts)},
                             {"inputs", std::move(inputs)},
                             {"reads", std::move(reads)}});
  }
  return json;
}

void list(const HistoryDirectory& history, bool as_json) {
  Table table({"BUILD", "STARTED", "TOOK", "OUTCOME", "STEPS", "CACHED", "PLATFORMS", "CONTEXT"});
  std::string lines;
  const auto warn = [](const std::string& text) { std::cerr << "WARNING: " << clean_line(text) << '\n'; };
  for (const BuildRecord& build : history.read_all(nullptr, warn)) {
    if (as_json) lines += dump(summary_json(build), -1);
    table.add({build.id, rfc3339(build.started_ms / 1000), human_seconds(build.seconds), build.outcome,
               concat(build.steps.size()), concat(steps_that_end(build, "cached")),
               join(build.platforms, ","), clean_line(build.context)});
  }
  print(as_json ? lines : table.text());
}

void inspect(const BuildRecord& build, bool as_json) {
  if (as_json) return print(dump(record_json(build), 2));
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += concat(name, clean_line(value), "\n");
  };
  line("build:      ", build.id);
  line("started:    ", rfc3339(build.started_ms / 1000));
  line("took:       ", human_seconds(build.seconds));
  line("outcome:    ", build.outcome);
  line("error:      ", build.error);
  line("platforms:  ", join(build.platforms, ","));
  line("context:    ", build.context);
  line("dockerfile: ", build.dockerfile);
  line("target:     ", build.target);
  line("tags:       ", join(build.tags, ","));
  line("image:      ", build.image);
  Table table({"STEP", "PLATFORMS", "END", "TOOK", "MODE", "KEY"});
  for (const StepRecord& step : build.steps)
    table.add({clean_line(step.name), join(step.platforms, ","), step.end,
               step.seconds > 0 ? human_seconds(step.seconds) : "-", step.mode.empty() ? "-" : step.mode,
               Digest::is_valid(step.key) ? Digest::parse(step.key).short_hex() : step.key});
  print(concat(text, "\n", table.text()));
}

std::optional<std::string> log_of(const std::filesystem::path& directory, const StepRecord& step) {
  if (directory.empty() || step.log.empty()) return std::nullopt;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(directory, ignored))
    if (file.path().filename().string().starts_with(step.log + "-"))
      return read_regular_file_if_exists(file.path());
  return std::nullopt;
}

/// Raw, as the steps wrote them; a line before each says whose it is, unless one was asked for.
void show_logs(const HistoryDirectory& history, const BuildRecord& build, const std::string& wanted) {
  const std::filesystem::path directory = history.logs_of(build);
  bool any = false;
  for (const StepRecord& step : build.steps) {
    if (!wanted.empty() && step.name.find(wanted) == std::string::npos) continue;
    any = true;
    const auto text = log_of(directory, step);
    if (!text) continue;
    if (wanted.empty()) print(concat("==> ", clean_line(step.name), "\n"));
    print(*text);
  }
  if (!any && !wanted.empty()) throw NotFound(concat("build ", build.id, " has no step \"", wanted, "\""));
}

/// All that is kept of a build in one document: the record, its lists of files, its logs.
std::string exported(const HistoryDirectory& history, const BuildRecord& build) {
  Json manifests = Json::object(), logs = Json::object();
  const std::filesystem::path directory = history.logs_of(build);
  for (const StepRecord& step : build.steps) {
    for (const ContextRead& read : step.reads)
      if (const auto text = history.manifest(read.manifest)) manifests[read.manifest] = *text;
    if (const auto text = log_of(directory, step)) logs[step.log] = *text;
  }
  const Json json{{"schemaVersion", 1},
                  {"build", record_json(build)},
                  {"manifests", std::move(manifests)},
                  {"logs", std::move(logs)}};
  return dump(json, 2);
}

void remove(const HistoryDirectory& history, const std::vector<std::string>& builds, bool all) {
  if (all == !builds.empty()) throw UsageError("history rm: name builds, or give --all");
  std::vector<HistoryDirectory::Entry> entries;
  for (const std::string& build : builds) entries.push_back(history.find(build));
  if (all) {
    for (const HistoryDirectory::Entry& entry : history.entries()) {
      try {
        if (history.read(entry).outcome == kRunning) continue;  // its record is not history yet
      } catch (const InvalidInput&) {
      }
      entries.push_back(entry);
    }
  }
  for (const HistoryDirectory::Entry& entry : entries) history.remove(entry);
}

struct HistoryFlags {
  std::string build, step, format, output;
  std::vector<std::string> builds;
  bool all = false;
};

}  // namespace

void add_history_command(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<HistoryFlags>();
  CLI::App* group = app.add_subcommand("history", "Look at the builds that were made");
  group->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, auto work) {
    CLI::App* command = group->add_subcommand(name, help);
    command->callback([flags, work, &chosen] {
      chosen.run = [flags, work](CommandContext& context) {
        work(*flags, HistoryDirectory(context.store_root));
        return 0;
      };
    });
    return command;
  };
  const auto with_build = [&](CLI::App* command) {
    command
        ->add_option("build", flags->build, "Its id, or ^N for the Nth before the last (default: the last)")
        ->type_name("BUILD")
        ->check(refuse_no_name);
  };
  const auto with_format = [&](CLI::App* command) {
    command->add_option("--format", flags->format, "table or json")->check(CLI::IsMember({"table", "json"}));
  };
  using Flags = const HistoryFlags&;
  using Builds = const HistoryDirectory&;
  with_format(add("ls", "List the builds, the last first",
                  [](Flags f, Builds history) { list(history, f.format == "json"); }));
  CLI::App* inspected = add("inspect", "Show a build and its steps", [](Flags f, Builds history) {
    inspect(history.read(history.find(f.build)), f.format == "json");
  });
  with_build(inspected);
  with_format(inspected);
  CLI::App* logged = add("logs", "Show what the steps of a build wrote", [](Flags f, Builds history) {
    show_logs(history, history.read(history.find(f.build)), f.step);
  });
  with_build(logged);
  logged->add_option("--step", flags->step, "Only of steps whose name holds this")->type_name("TEXT");
  CLI::App* removed = add("rm", "Forget builds and remove their logs",
                          [](Flags f, Builds history) { remove(history, f.builds, f.all); });
  removed->add_option("builds", flags->builds, "Ids, or ^N")->type_name("BUILD");
  removed->add_flag("--all", flags->all, "All but those that run");
  CLI::App* exporting =
      add("export", "Write all that is kept of a build as one JSON document", [](Flags f, Builds history) {
        const std::string text = exported(history, history.read(history.find(f.build)));
        if (f.output.empty()) return print(text);
        write_file_atomic(f.output, text, Durability::None, 0600);
      });
  with_build(exporting);
  exporting->add_option("-o,--output", flags->output, "The file (default: standard output)")
      ->type_name("FILE");
}

}  // namespace slipway
