// `slipway build`: what its flags (build_flags.h) ask for, done and told.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/logger.h"
#include "base/strings.h"
#include "build/build_request.h"
#include "build/metadata.h"
#include "scheduler/cpu_limit.h"
#include "slipway/build_flags.h"
#include "slipway/build_session.h"
#include "slipway/cli_call.h"
#include "slipway/cli_llb.h"
#include "slipway/command.h"
#include "slipway/config_file.h"
#include "slipway/emulator_flags.h"
#include "slipway/gc_policies.h"
#include "slipway/progress_choice.h"
#include "slipway/summary.h"

namespace slipway {

namespace {

void write_result_file(const std::string& path, const std::string& bytes) {
  if (!path.empty()) write_file_atomic(path, bytes);
}

// Told before the build, not after it.
void check_writable(const std::string& path, const char* flag) {
  if (path.empty()) return;
  try {
    const TempFile probe(path);
  } catch (const SystemError& e) {
    throw UsageError(concat(flag, ": ", e.what()));
  }
}

// The build's own error matters more than one of writing it down.
void try_to_write(CommandContext& context, const std::string& path, const std::string& bytes) {
  try {
    write_result_file(path, bytes);
  } catch (const Error& e) {
    context.logger.log(LogLevel::Warning, concat("--metadata-file: ", e.what()));
  }
}

/// Read by the build itself, whatever it builds.
bool is_arg_of_the_build(const std::string& arg) {
  static constexpr std::array kNames = {"SOURCE_DATE_EPOCH", "BUILDKIT_INLINE_CACHE",
                                        "BUILDKIT_CONTEXT_KEEP_GIT_DIR"};
  return std::ranges::find(kNames, arg.substr(0, arg.find('='))) != kNames.end();
}

/// Flags that are about a Dockerfile.
void check_alone(const BuildFlags& flags) {
  if (flags.llb.empty()) return;
  const auto refuse = [](const char* flag) {
    throw UsageError(concat("--llb and ", flag, " cannot both be given: a definition has no Dockerfile"));
  };
  if (!flags.file.empty()) refuse("--file");
  if (!flags.target.empty()) refuse("--target");
  if (!flags.no_cache_filter.empty()) refuse("--no-cache-filter");
  if (!flags.labels.empty()) refuse("--label");
  if (!std::ranges::all_of(flags.build_args, is_arg_of_the_build)) refuse("--build-arg");
  if (flags.check || flags.call != "build") refuse("--call");
}

/// Read before the build, so that what is wrong in it is told at once.
std::vector<GcPolicy> configured_policies(const CommandContext& context) {
  const auto file = find_config(context.config);
  if (!file) return {};
  const Config config = read_config(*file);
  if (!config.gc) return {};
  // A store that is not there yet will be on the file system of what is there above it.
  std::filesystem::path place = context.store_root;
  while (!std::filesystem::exists(place) && place.has_relative_path()) place = place.parent_path();
  return gc_policies(*config.gc, std::filesystem::space(place).capacity);
}

/// Whatever becomes of the build.
class CollectAtEnd {
 public:
  CollectAtEnd(BuildSession& session, const std::vector<GcPolicy>& policies)
      : session_(session), policies_(policies) {}
  ~CollectAtEnd() { session_.collect_garbage(policies_); }
  CollectAtEnd(const CollectAtEnd&) = delete;
  CollectAtEnd& operator=(const CollectAtEnd&) = delete;

 private:
  BuildSession& session_;
  const std::vector<GcPolicy>& policies_;
};

int run(const BuildFlags& flags, CommandContext& context) {
  check_alone(flags);
  const CallSpec call = parse_call(flags.check ? "check" : flags.call);
  if (call.method != CallSpec::Method::Build) return run_call(call, request_of(flags), context);
  std::optional<Definition> definition;
  if (!flags.llb.empty()) definition = read_definition(flags.llb);
  if (!flags.print_llb.empty()) {
    BuildRequest request = request_of(flags);
    if (definition) request.definition = &*definition;
    return print_llb(flags.print_llb, request, context);
  }
  check_writable(flags.metadata_file, "--metadata-file");
  check_writable(flags.iidfile, "--iidfile");
  const std::vector<GcPolicy> policies = configured_policies(context);
  try {
    BuildRequest request = request_of(flags);
    if (definition) request.definition = &*definition;
    const CpuLimit cpus(flags.jobs);
    const ProgressMode mode = flags.quiet ? ProgressMode::Quiet : choose_progress(flags.progress);
    BuildSession session(context, mode, emulator_options(flags.qemu_dirs, flags.qemu_image),
                         flags.oci_runtime);
    const CollectAtEnd collector(session, policies);
    BuildResult result = session.build(request);
    result.isolation = name_of(context.confinement.isolation);
    session.close();
    if (result.image) write_result_file(flags.iidfile, image_id(result));
    write_result_file(flags.metadata_file, metadata_json(result));
    if (mode == ProgressMode::Quiet) {
      if (!result.image) return 0;
      const std::string line = image_id(result) + "\n";
      write_all(STDOUT_FILENO, line, "stdout");
    } else if (mode == ProgressMode::Plain || mode == ProgressMode::Tty) {
      print_summary(result);
    }
    return 0;
  } catch (const Cancelled&) {
    try_to_write(context, flags.metadata_file, cancelled_metadata_json());
    throw;
  } catch (const Error& error) {
    try_to_write(context, flags.metadata_file, metadata_json(error));
    throw;
  }
}

}  // namespace

void add_build_command(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<BuildFlags>();
  CLI::App* build = app.add_subcommand("build", "Build a Dockerfile for one or many platforms");
  build
      ->add_option("context", flags->context,
                   "The build context: a directory, - (a tar or a Dockerfile on stdin), a git or http(s) URL")
      ->type_name("PATH");
  add_build_flags(*build, *flags);
  build->callback([flags, &chosen] {
    chosen.confined = true;
    chosen.run = [flags](CommandContext& context) { return run(*flags, context); };
  });
}

}  // namespace slipway
