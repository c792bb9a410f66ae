#include "dockerfile/build_state.h"

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

[[noreturn]] void refuse_image(const BuildState& build, const std::string& name, std::string message,
                               const Stage& stage, const SourceLocation& where) {
  InvalidInput error(std::move(message), where);
  if (const auto later = build.names.find_from(name, stage.index)) {
    const Stage& found = build.program.stages[static_cast<std::size_t>(*later)];
    error.set_hint(concat("the stage \"", found.name, "\" is defined later, on line ", found.from->first_line,
                          "; stages can use only those before them"));
  } else if (const auto near = closest_match(name, build.names.names())) {
    error.set_hint(concat("did you mean the stage \"", *near, "\"?"));
  }
  throw error;
}

}  // namespace

void BuildState::warn(const Instruction& at, std::string_view message) {
  std::string line = concat(file.filename, ":", at.first_line, ": ", message);
  if (warned.insert(line).second) warnings.push_back(std::move(line));
}

BaseImage BuildState::ask_for(const ImageRef& ref, const std::string& name, const Platform& platform) {
  try {
    return resolver.resolve(ref, platform, stop);
  } catch (const Error& error) {
    // A name that is near a stage's is a mistake, whatever is optional.
    if (!options.images_optional || closest_match(name, names.names())) throw;
    lint.note(concat("cannot read the image ", name,
                     ", so the stages on it are not checked for undefined variables: ", error.what()));
    ImageConfig nothing{
        .platform = platform, .created = {}, .author = {}, .config = {}, .diff_ids = {}, .history = {}};
    return {.pinned = ref, .config = std::move(nothing), .known = false};
  }
}

const BaseImage& BuildState::resolve(const std::string& name, const Platform& platform, const Stage& stage,
                                     const SourceLocation& where) {
  if (stop.stop_requested()) throw Cancelled();
  try {
    const ImageRef ref = ImageRef::parse(name);
    const std::pair<std::string, Platform> key{ref.str(), platform};
    auto known = images.find(key);
    if (known == images.end()) known = images.emplace(key, ask_for(ref, name, platform)).first;
    return known->second;
  } catch (const InvalidInput& error) {
    refuse_image(*this, name, error.what(), stage, where);
  } catch (const NotFound& error) {
    refuse_image(*this, name, error.what(), stage, where);
  } catch (Error& error) {
    // A mistyped stage is the Dockerfile's fault, whatever a registry (or the way to it) says of such an
    // image.
    if (closest_match(name, names.names()))
      refuse_image(*this, name,
                   concat("\"", name, "\" is no stage, nor an image that can be had: ", error.what()), stage,
                   where);
    error.add_context(concat(where.file, ":", where.line, ": resolving ", name, " for ", platform.str()));
    throw;
  }
}

}  // namespace slipway::dockerfile
