#include "build/attestations.h"

#include "base/error.h"
#include "base/strings.h"
#include "build/assemble.h"
#include "build/attributes.h"
#include "manifest/media_types.h"

namespace slipway {

namespace {

constexpr const char* kPredicateType = "in-toto.io/predicate-type";

/// What a flag says by itself, if it is no list.
std::optional<bool> parse_switch(const std::string& text) {
  const std::string lower = to_lower(text);
  if (lower == "true" || lower == "1") return true;
  if (lower == "false" || lower == "0") return false;
  return std::nullopt;
}

[[noreturn]] void refuse_sbom(const char* flag) {
  UsageError error(concat(flag, ": slipway makes no SBOMs"));
  error.set_hint(
      "scan the image that is built, for instance with: syft oci-dir:DIR after -o "
      "type=oci,tar=false,dest=DIR");
  throw error;
}

void check_filename(const std::string& flag, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw UsageError(concat(flag, ": filename=", name, " is not the name of a file"));
}

void read_provenance(const std::string& flag, Attributes& attributes, ProvenanceRequest& request) {
  request.attach = attributes.take_bool("disabled", false) ? ProvenanceRequest::Attach::Refused
                                                           : ProvenanceRequest::Attach::Asked;
  const std::string mode = attributes.take("mode"), version = attributes.take("version");
  if (mode == "min") {
    request.options.mode = ProvenanceMode::Min;
  } else if (!mode.empty() && mode != "max" && mode != "full") {
    throw UsageError(concat(flag, ": mode=", mode, " is neither min nor max"));
  }
  if (version == "v0.2") {
    request.options.version = ProvenanceVersion::V02;
  } else if (!version.empty() && version != "v1") {
    throw UsageError(concat(flag, ": version=", version, " is neither v1 nor v0.2"));
  }
  request.options.builder_id = attributes.take("builder-id");
  request.options.reproducible = attributes.take_bool("reproducible", false);
  request.inline_only = attributes.take_bool("inline-only", false);
  if (const std::string name = attributes.take("filename"); !name.empty()) {
    check_filename(flag, name);
    request.filename = name;
  }
  attributes.refuse_rest(
      {"type", "mode", "version", "builder-id", "reproducible", "inline-only", "filename", "disabled"});
}

/// Of --provenance: a switch, or what --attest=type=provenance takes.
ProvenanceRequest parse_provenance(const std::string& text) {
  const std::string flag = "--provenance";
  ProvenanceRequest request;
  if (const auto wanted = parse_switch(text)) {
    request.attach = *wanted ? ProvenanceRequest::Attach::Asked : ProvenanceRequest::Attach::Refused;
    return request;
  }
  if (text == "max" || text == "min") {
    UsageError error(concat(flag, "=", text, " is neither true nor false nor a list of parameters"));
    error.set_hint(concat(flag, "=mode=", text));
    throw error;
  }
  Attributes attributes(flag, text);
  read_provenance(flag, attributes, request);
  return request;
}

}  // namespace

ProvenanceRequest parse_attestations(const std::vector<std::string>& attests, const std::string& provenance,
                                     const std::string& sbom) {
  const std::string flag = "--attest";
  ProvenanceRequest request;
  bool given = false;
  for (const std::string& text : attests) {
    Attributes attributes(flag, text);
    const std::string type = to_lower(attributes.take("type"));
    if (type == "sbom") {
      if (attributes.take_bool("disabled", false)) continue;
      refuse_sbom("--attest=type=sbom");
    }
    if (type.empty()) throw UsageError(concat(flag, ": type= is missing: type=provenance"));
    if (type != "provenance")
      throw UsageError(concat(flag, ": unknown type \"", type, "\"; there is provenance"));
    if (given) throw UsageError(concat(flag, ": type=provenance is given twice"));
    given = true;
    read_provenance(flag, attributes, request);
  }
  if (!sbom.empty() && parse_switch(sbom) != false) refuse_sbom("--sbom");
  return provenance.empty() ? request : parse_provenance(provenance);
}

std::optional<ProvenanceMode> parse_metadata_provenance(std::string_view text) {
  const std::string lower = to_lower(text);
  if (lower.empty() || lower == "min" || lower == "true" || lower == "1") return ProvenanceMode::Min;
  if (lower == "max") return ProvenanceMode::Max;
  if (lower == "disabled" || lower == "false" || lower == "0") return std::nullopt;
  throw UsageError(concat("BUILDX_METADATA_PROVENANCE=", text, " is neither min, max nor disabled"));
}

Descriptor put_attestation(Store& store, const Descriptor& image, ProvenanceVersion version,
                           const std::string& statement) {
  Descriptor layer = put_document(store, media_type::kInToto, statement);
  layer.annotations[kPredicateType] = predicate_type(version);
  const Manifest manifest{
      .media_type = std::string(media_type::kOciManifest),
      .config = put_document(store, media_type::kOciEmpty, "{}"),
      .layers = {std::move(layer)},
      .annotations = {},
      .artifact_type = std::string(media_type::kAttestationManifest),
      .subject = Descriptor{.media_type = image.media_type, .digest = image.digest, .size = image.size}};
  Descriptor descriptor = put_document(store, media_type::kOciManifest, to_json(manifest));
  descriptor.platform = Platform::from_fields("unknown", "unknown", "");
  descriptor.annotations = {{kReferenceDigest, image.digest.str()}, {kReferenceType, "attestation-manifest"}};
  return descriptor;
}

}  // namespace slipway
