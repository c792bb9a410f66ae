#include "build/outputs.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

using Attributes = std::map<std::string, std::string>;

bool take_bool(Attributes& attributes, const std::string& key, bool fallback) {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return fallback;
  const std::string value = to_lower(found->second);
  attributes.erase(found);
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  throw UsageError(concat("--output: ", key, "=", value, " is neither true nor false"));
}

std::string take(Attributes& attributes, const std::string& key) {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return {};
  std::string value = found->second;
  attributes.erase(found);
  return value;
}

Attributes parse_attributes(std::string_view text) {
  Attributes attributes;
  for (const std::string& field : split_csv(text)) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos)
      throw UsageError(concat("--output: \"", field, "\" is not of the form key=value"));
    attributes[to_lower(trim(std::string_view(field).substr(0, equals)))] = field.substr(equals + 1);
  }
  return attributes;
}

void take_type(OutputSpec& output, Attributes& attributes) {
  const std::string type = take(attributes, "type");
  if (type == "image" || type == "registry") {
    output.type = OutputSpec::Type::Image;
    output.push = take_bool(attributes, "push", type == "registry");
  } else if (type == "oci") {
    output.type = OutputSpec::Type::Oci;
    output.tar = take_bool(attributes, "tar", true);
  } else if (type == "local") {
    output.type = OutputSpec::Type::Local;
  } else if (type.empty()) {
    throw UsageError("--output: type= is missing");
  } else if (type == "tar" || type == "docker" || type == "cacheonly") {
    throw UsageError(
        concat("--output: type=", type, " is not supported yet; use oci, image, registry or local"));
  } else {
    const auto near = closest_match(type, {"image", "registry", "oci", "local"});
    throw UsageError(
        concat("--output: unknown type \"", type, "\"", near ? concat(", did you mean ", *near, "?") : ""));
  }
}

void take_compression(OutputSpec& output, Attributes& attributes) {
  const std::string compression = take(attributes, "compression");
  if (compression == "uncompressed") {
    output.compression = Compression::None;
  } else if (compression == "zstd") {
    output.compression = Compression::Zstd;
  } else if (!compression.empty() && compression != "gzip") {
    throw UsageError(
        concat("--output: unknown compression \"", compression, "\" (gzip, zstd, uncompressed)"));
  }
  if (const std::string level = take(attributes, "compression-level"); !level.empty()) {
    const auto number = parse_unsigned(level);
    const unsigned most = output.compression == Compression::Zstd ? 22 : 9;
    if (!number || *number > most)
      throw UsageError(concat("--output: compression-level=", level, " is no level (0-", most, ")"));
    output.compression_level = static_cast<int>(*number);
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
  Attributes attributes = parse_attributes(text);
  take_type(output, attributes);
  take_compression(output, attributes);
  output.rewrite_timestamp = take_bool(attributes, "rewrite-timestamp", false);
  if (!take_bool(attributes, "oci-mediatypes", true))
    throw UsageError("--output: slipway writes OCI media types only");
  const std::string names = take(attributes, "name");
  if (!names.empty())
    for (const std::string& name : split(names, ',')) output.names.push_back(parse_name(name));
  output.dest = take(attributes, "dest");
  if (output.type == OutputSpec::Type::Image && !output.dest.empty())
    throw UsageError("--output: dest= goes with type=oci and type=local");
  if (output.type != OutputSpec::Type::Image && output.dest.empty())
    throw UsageError("--output: dest= is missing");
  if (output.dest == "-" && !output.tar) throw UsageError("--output: dest=- takes a tar, not a directory");
  if (!attributes.empty())
    throw UsageError(concat("--output: unknown attribute \"", attributes.begin()->first, "\""));
  return output;
}

}  // namespace slipway
