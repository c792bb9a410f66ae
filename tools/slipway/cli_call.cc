#include "slipway/cli_call.h"

#include <unistd.h>

#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "build/checks.h"
#include "registry/client.h"
#include "slipway/call_output.h"
#include "slipway/open_store.h"
#include "slipway/terminal_text.h"

namespace slipway {

namespace {

bool parse_yes_no(const std::string& key, const std::string& value) {
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  throw UsageError(concat("--call: ", key, " is true or false, not \"", value, "\""));
}

/// What calls read. A look at images that may well be out of reach must not take long.
struct CallInputs {
  CallInputs(const BuildRequest& request, CommandContext& context)
      : store(open_store(context)),
        registry({.plain_http = {}, .attempts = 2, .connect_timeout_seconds = 5}, docker_config_credentials(),
                 context.logger),
        inputs(request, *store, registry, progress) {
    inputs.load(context.stop);
  }
  std::unique_ptr<Store> store;
  RegistryClient registry;
  NullProgress progress;
  BuildInputs inputs;
};

void print(const std::string& text) { write_all(STDOUT_FILENO, text, "stdout"); }

void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::cerr << "note: " << join(clean_lines(note), "\n") << std::endl;
}

int run_check(const CallSpec& call, const BuildRequest& request, CommandContext& context) {
  CallInputs call_inputs(request, context);
  const CheckResult result = check_dockerfile(call_inputs.inputs, context.stop);
  print_notes(result.notes);
  print(call.json ? check_json(result) : check_text(result));
  if (call.ignore_status) return 0;
  if (result.error && !call.json) std::rethrow_exception(result.error);
  return result.clean() ? 0 : 1;
}

int run_outline(const CallSpec& call, const BuildRequest& request, CommandContext& context) {
  CallInputs call_inputs(request, context);
  const OutlineResult result = outline_dockerfile(call_inputs.inputs, context.stop);
  print_notes(result.notes);
  print(call.json ? outline_json(result.outline, result.text) : outline_text(result.outline));
  return 0;
}

int run_targets(const CallSpec& call, const BuildRequest& request, CommandContext& context) {
  CallInputs call_inputs(request, context);
  const DockerfileFile& input = call_inputs.inputs.contexts().dockerfile();
  const auto targets = dockerfile::list_targets(dockerfile::parse(input.name, input.text));
  print(call.json ? targets_json(targets, input.text) : targets_text(targets));
  return 0;
}

}  // namespace

CallSpec parse_call(const std::string& text) {
  static const std::vector<std::string> kMethods = {"build", "check", "outline", "targets"};
  CallSpec out;
  bool first = true;
  for (const std::string& field : split_csv(text)) {
    const std::size_t equals = field.find('=');
    const std::string key = field.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : field.substr(equals + 1);
    if (std::exchange(first, false)) {
      if (field == "build") continue;
      if (field == "check" || field == "lint") {
        out.method = CallSpec::Method::Check;
      } else if (field == "outline") {
        out.method = CallSpec::Method::Outline;
      } else if (field == "targets") {
        out.method = CallSpec::Method::Targets;
      } else {
        UsageError error(concat("--call=", field, ": expected build, check, outline or targets"));
        if (const auto near = closest_match(field, kMethods))
          error.set_hint(concat("did you mean ", *near, "?"));
        throw error;
      }
    } else if (key == "format" && (value == "json" || value == "text")) {
      out.json = value == "json";
    } else if (key == "ignorestatus") {
      out.ignore_status = equals == std::string::npos || parse_yes_no(key, value);
    } else {
      throw UsageError(
          concat("--call: \"", field, "\" is none of format=text, format=json and ignorestatus=true"));
    }
  }
  return out;
}

int run_call(const CallSpec& call, const BuildRequest& request, CommandContext& context) {
  switch (call.method) {
    case CallSpec::Method::Check:
      return run_check(call, request, context);
    case CallSpec::Method::Outline:
      return run_outline(call, request, context);
    case CallSpec::Method::Targets:
      return run_targets(call, request, context);
    case CallSpec::Method::Build:
      break;
  }
  throw UsageError("--call=build is a build");
}

}  // namespace slipway
