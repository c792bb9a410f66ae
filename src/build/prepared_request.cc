#include "build/prepared_request.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "build/source_date_epoch.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;
constexpr const char* kEpochArg = "SOURCE_DATE_EPOCH";
constexpr const char* kInlineCacheArg = "BUILDKIT_INLINE_CACHE";

std::optional<std::int64_t> source_date_epoch(const std::map<std::string, std::string>& build_args) {
  const auto found = build_args.find(kEpochArg);
  return found == build_args.end() ? std::nullopt : parse_source_date_epoch(found->second);
}

/// All outputs of a build share their layers.
LayerOptions layer_options(const std::vector<OutputSpec>& outputs, const std::optional<std::int64_t>& epoch) {
  const auto of = [&](const OutputSpec& output) {
    LayerOptions options{.compression = output.compression, .level = output.compression_level};
    if (output.rewrite_timestamp) options.clamp_mtime = epoch;
    return options;
  };
  const LayerOptions first = of(outputs.front());
  for (const OutputSpec& output : outputs)
    if (of(output).key() != first.key())
      throw UsageError("--output: all outputs of one build must agree on compression and rewrite-timestamp");
  return first;
}

/// What can be known of a destination is told before the build, not after it.
void check_destination(const OutputSpec& output) {
  if (output.dest.empty() || output.dest == "-") return;
  std::error_code ignored;
  const bool is_directory = fs::is_directory(output.dest, ignored);
  const bool wants_directory = output.type == OutputSpec::Type::Local || !output.tar;
  if (wants_directory && !is_directory && fs::exists(output.dest, ignored))
    throw UsageError(concat("--output: ", output.dest.native(), " is not a directory"));
  if (!wants_directory && is_directory)
    throw UsageError(
        concat("--output: ", output.dest.native(), " is a directory; for a layout in it add tar=false"));
  const fs::path parent = output.dest.has_parent_path() ? output.dest.parent_path() : fs::path(".");
  if (!wants_directory && !fs::is_directory(parent, ignored))
    throw UsageError(concat("--output: there is no directory ", parent.native()));
}

}  // namespace

bool wants_inline_cache(const BuildRequest& request) {
  const auto arg = request.build_args.find(kInlineCacheArg);
  if (arg != request.build_args.end() && (arg->second == "1" || arg->second == "true")) return true;
  return std::ranges::any_of(
      request.cache_to, [](const CacheTarget& target) { return target.type == CacheTarget::Type::Inline; });
}

PreparedRequest prepare(const BuildRequest& request) {
  PreparedRequest prepared;
  prepared.outputs = request.outputs.empty() ? std::vector{OutputSpec{}} : request.outputs;
  for (OutputSpec& output : prepared.outputs) {
    output.names.insert(output.names.begin(), request.tags.begin(), request.tags.end());
    if (output.push && output.names.empty()) throw UsageError("--push needs a name to push to: give -t NAME");
    for (const ImageRef& name : output.names)
      if (name.digest()) throw UsageError(concat("the name ", name.str(), " has a digest; a tag is needed"));
    check_destination(output);
  }
  if (wants_inline_cache(request) && !has_image(prepared))
    throw UsageError("--cache-to: type=inline needs an image to be in: add --push or -o type=oci,dest=FILE");
  prepared.assemble.epoch = source_date_epoch(request.build_args);
  prepared.assemble.layers = layer_options(prepared.outputs, prepared.assemble.epoch);
  return prepared;
}

void use_epoch_of_dockerfile(PreparedRequest& prepared, const std::optional<std::int64_t>& epoch) {
  prepared.assemble.epoch = epoch;
  prepared.assemble.layers = layer_options(prepared.outputs, epoch);
  if (!epoch && std::ranges::any_of(prepared.outputs, &OutputSpec::rewrite_timestamp))
    throw UsageError(
        "--output: rewrite-timestamp=true needs SOURCE_DATE_EPOCH (environment, --build-arg, or an ARG "
        "before the "
        "first FROM)");
}

std::vector<ImageRef> image_names(const PreparedRequest& prepared, bool OutputSpec::*only) {
  std::vector<ImageRef> names;
  for (const OutputSpec& output : prepared.outputs) {
    if (output.type != OutputSpec::Type::Image || (only && !(output.*only))) continue;
    for (const ImageRef& name : output.names)
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

std::vector<ImageRef> pushed_names(const PreparedRequest& prepared) {
  return image_names(prepared, &OutputSpec::push);
}

bool has_image(const PreparedRequest& prepared) {
  return std::ranges::any_of(prepared.outputs, [](const OutputSpec& output) {
    return output.type == OutputSpec::Type::Image || output.type == OutputSpec::Type::Oci;
  });
}

bool has_output(const PreparedRequest& prepared) {
  return std::ranges::any_of(
      prepared.outputs, [](const OutputSpec& output) { return output.type != OutputSpec::Type::CacheOnly; });
}

RunHooks::Needs needs_of(const PreparedRequest& prepared) {
  auto needs = RunHooks::Needs::Nothing;
  for (const OutputSpec& output : prepared.outputs) {
    if (output.type == OutputSpec::Type::Local) return RunHooks::Needs::Trees;
    if (output.type == OutputSpec::Type::CacheOnly) continue;
    if (output.type == OutputSpec::Type::Oci || !output.push) needs = RunHooks::Needs::Blobs;
  }
  return needs;
}

std::string publish_name(const PreparedRequest& prepared) {
  const auto pushed = pushed_names(prepared);
  return !pushed.empty() ? concat("publishing ", pushed.front().familiar())
         : prepared.outputs.front().type == OutputSpec::Type::Image ? "naming the image in the store"
                                                                    : "exporting";
}

}  // namespace slipway
