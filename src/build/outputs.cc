#include "build/outputs.h"

#include "base/error.h"
#include "base/strings.h"
#include "build/attributes.h"

namespace slipway {

namespace {

void take_type(OutputSpec& output, Attributes& attributes) {
  const std::string type = attributes.take("type");
  if (type == "image" || type == "registry") {
    output.type = OutputSpec::Type::Image;
    output.push = attributes.take_bool("push", type == "registry");
  } else if (type == "oci") {
    output.type = OutputSpec::Type::Oci;
    output.tar = attributes.take_bool("tar", true);
  } else if (type == "local") {
    output.type = OutputSpec::Type::Local;
  } else if (type == "cacheonly") {
    output.type = OutputSpec::Type::CacheOnly;
  } else if (type.empty()) {
    throw UsageError("--output: type= is missing");
  } else if (type == "tar" || type == "docker") {
    throw UsageError(concat("--output: type=", type,
                            " is not supported yet; use oci, image, registry, local or cacheonly"));
  } else {
    const auto near = closest_match(type, {"image", "registry", "oci", "local", "cacheonly"});
    throw UsageError(
        concat("--output: unknown type \"", type, "\"", near ? concat(", did you mean ", *near, "?") : ""));
  }
}

ImageRef parse_name(const std::string& name) {
  try {
    return ImageRef::parse(name);
  } catch (const InvalidInput& e) {
    throw UsageError(concat("--output: ", e.what()));
  }
}

}  // namespace

OutputSpec parse_output(std::string_view text) {
  OutputSpec output;
  if (text.empty()) throw UsageError("--output: empty value");
  if (text.find('=') == std::string_view::npos) {
    if (text == "-") throw UsageError("--output: a tar on stdout is not supported yet; use type=oci,dest=-");
    output.type = OutputSpec::Type::Local;
    output.dest = text;
    return output;
  }
  Attributes attributes("--output", text);
  take_type(output, attributes);
  if (const auto chosen = attributes.take_compression()) {
    output.compression = chosen->compression;
    output.compression_level = chosen->level;
  }
  output.rewrite_timestamp = attributes.take_bool("rewrite-timestamp", false);
  if (!attributes.take_bool("oci-mediatypes", true))
    throw UsageError("--output: slipway writes OCI media types only");
  const std::string names = attributes.take("name");
  if (!names.empty())
    for (const std::string& name : split(names, ',')) output.names.push_back(parse_name(name));
  output.dest = attributes.take("dest");
  const bool has_dest = output.type == OutputSpec::Type::Oci || output.type == OutputSpec::Type::Local;
  if (!has_dest && !output.dest.empty())
    throw UsageError("--output: dest= goes with type=oci and type=local");
  if (has_dest && output.dest.empty()) throw UsageError("--output: dest= is missing");
  if (output.dest == "-" && !output.tar) throw UsageError("--output: dest=- takes a tar, not a directory");
  attributes.refuse_rest({"type", "dest", "name", "push", "tar", "compression", "compression-level",
                          "oci-mediatypes", "rewrite-timestamp"});
  return output;
}

}  // namespace slipway
