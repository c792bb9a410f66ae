// `slipway explain`: which steps of a build had results, and why the others ran.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/files.h"
#include "history/history_directory.h"
#include "slipway/command.h"
#include "slipway/explain_text.h"

namespace slipway {

namespace {

struct ExplainFlags {
  std::string build, format = "text";
};

int run(const ExplainFlags& flags, const CommandContext& context) {
  const HistoryDirectory history(context.store_root);
  const HistoryDirectory::Entry entry = history.find(flags.build);
  const BuildRecord build = history.read(entry);
  const ManifestReader manifests = [&](const std::string& name) -> std::optional<FileList> {
    const auto text = history.manifest(name);
    return text ? std::optional(parse_manifest(*text)) : std::nullopt;
  };
  const auto told = explain(build, history.read_all(&entry), manifests);
  write_all(STDOUT_FILENO,
            flags.format == "json" ? explanation_json(build, told) : explanation_text(build, told), "stdout");
  return 0;
}

}  // namespace

void add_explain_command(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<ExplainFlags>();
  CLI::App* explain = app.add_subcommand("explain", "Tell why the steps of a build ran");
  explain->add_option("build", flags->build, "Its id, or ^N for the Nth before the last (default: the last)")
      ->type_name("BUILD");
  explain->add_option("--format", flags->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  explain->callback(
      [flags, &chosen] { chosen.run = [flags](CommandContext& context) { return run(*flags, context); }; });
}

}  // namespace slipway
