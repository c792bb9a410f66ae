#include "build/cache_specs.h"

#include "base/error.h"
#include "base/strings.h"
#include "build/gha_spec.h"

namespace slipway {

namespace {

constexpr const char* kFrom = "--cache-from";
constexpr const char* kTo = "--cache-to";

ImageRef parse_ref(const char* flag, const std::string& text) {
  if (text.empty()) throw UsageError(concat(flag, ": ref= is missing: type=registry,ref=REGISTRY/NAME:TAG"));
  try {
    return ImageRef::parse(text);
  } catch (const InvalidInput& e) {
    throw UsageError(concat(flag, ": ", e.what()));
  }
}

/// The whole of a short form: a reference without any key.
bool is_bare(std::string_view text) {
  return text.find('=') == std::string_view::npos && text.find(',') == std::string_view::npos;
}

[[noreturn]] void refuse_type(const char* flag, const std::string& type,
                              const std::vector<std::string>& known) {
  if (type.empty()) throw UsageError(concat(flag, ": type= is missing (", join(known, ", "), ")"));
  if (type == "azblob" || type == "gcs")
    throw UsageError(concat(flag, ": type=", type, " is not supported; use ", join(known, ", ")));
  const auto near = closest_match(type, known);
  throw UsageError(
      concat(flag, ": unknown type \"", type, "\"",
             near ? concat(", did you mean ", *near, "?") : concat(" (", join(known, ", "), ")")));
}

std::filesystem::path take_directory(Attributes& attributes, const char* flag, const char* key,
                                     const char* others, const char* other_flag) {
  if (!attributes.take(others).empty())
    throw UsageError(concat(flag, ": ", others, "= goes with ", other_flag, "; write ", key, "=DIRECTORY"));
  std::string directory = attributes.take(key);
  if (directory.empty())
    throw UsageError(concat(flag, ": ", key, "= is missing: type=local,", key, "=DIRECTORY"));
  return directory;
}

S3Bucket::Options take_bucket(Attributes& attributes, const char* flag) {
  S3Bucket::Options bucket;
  bucket.name = attributes.take_or_variable("bucket", {"AWS_BUCKET"});
  bucket.region = attributes.take_or_variable("region", {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (bucket.name.empty() || bucket.region.empty())
    throw UsageError(concat(flag, ": ", bucket.name.empty() ? "bucket" : "region",
                            "= is missing: type=s3,bucket=BUCKET,region=REGION,name=NAME"));
  bucket.endpoint = attributes.take_or_variable("endpoint_url", {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  if (!bucket.endpoint.empty() && !bucket.endpoint.starts_with("http://") &&
      !bucket.endpoint.starts_with("https://"))
    throw UsageError(concat(flag, ": endpoint_url=", bucket.endpoint, " is no http or https address"));
  // With an address of its own the bucket is always in the path; Amazon's has it in the host's name.
  if (!attributes.take_bool("use_path_style", true) && !bucket.endpoint.empty())
    throw UsageError(concat(flag, ": use_path_style=false goes without endpoint_url= only"));
  bucket.credentials = {
      .access_key = attributes.take_or_variable("access_key_id", {"AWS_ACCESS_KEY_ID"}),
      .secret_key = Secret(attributes.take_or_variable("secret_access_key", {"AWS_SECRET_ACCESS_KEY"})),
      .session_token = Secret(attributes.take_or_variable("session_token", {"AWS_SESSION_TOKEN"}))};
  return bucket;
}

S3Cache::Options take_s3(Attributes& attributes, const char* flag) {
  S3Cache::Options s3{.bucket = take_bucket(attributes, flag)};
  if (std::string name = attributes.take("name"); !name.empty()) s3.cache_name = std::move(name);
  if (s3.cache_name.find(';') != std::string::npos)
    throw UsageError(concat(flag, ": name=", s3.cache_name, " names several; one holds all platforms"));
  s3.prefix = attributes.take("prefix");
  if (std::string prefix = attributes.take("blobs_prefix"); !prefix.empty())
    s3.blobs_prefix = std::move(prefix);
  if (std::string prefix = attributes.take("manifests_prefix"); !prefix.empty())
    s3.manifests_prefix = std::move(prefix);
  return s3;
}

std::string take_tag(Attributes& attributes) {
  std::string tag = attributes.take("tag");
  return tag.empty() ? "latest" : tag;
}

bool take_mode(Attributes& attributes) {
  const std::string mode = attributes.take("mode");
  if (mode.empty() || mode == "min") return false;
  if (mode == "max") return true;
  throw UsageError(concat(kTo, ": mode=", mode, " is neither min nor max"));
}

void take_form(Attributes& attributes, CacheForm& form) {
  form.oci_types = attributes.take_bool("oci-mediatypes", true);
  form.image_manifest = attributes.take_bool("image-manifest", form.oci_types);
  if (form.image_manifest && !form.oci_types)
    throw UsageError(concat(kTo, ": image-manifest=true needs oci-mediatypes=true"));
}

/// What type= says, and where it is.
void take_place(Attributes& attributes, const std::string& type, CacheTarget& target) {
  if (type == "registry") {
    target.ref = parse_ref(kTo, attributes.take("ref"));
    if (target.ref->digest())
      throw UsageError(concat(kTo, ": ref=", target.ref->str(), " has a digest; a tag is needed"));
  } else if (type == "local") {
    target.type = CacheTarget::Type::Local;
    target.directory = take_directory(attributes, kTo, "dest", "src", kFrom);
    target.tag = take_tag(attributes);
    target.reset = attributes.take_bool("reset", false);
  } else if (type == "s3") {
    target.type = CacheTarget::Type::S3;
    target.s3 = take_s3(attributes, kTo);
  } else if (type == "gha") {
    target.type = CacheTarget::Type::Gha;
    target.gha = take_gha(attributes, kTo);
  } else if (type == "inline") {
    target.type = CacheTarget::Type::Inline;
    if (target.all_steps)
      throw UsageError(
          concat(kTo, ": type=inline saves the steps of the image's own layers only; for all steps use ",
                 "type=registry,ref=REF,mode=max"));
  } else {
    refuse_type(kTo, type, {"registry", "local", "inline", "gha", "s3"});
  }
}

}  // namespace

CacheSource parse_cache_source(std::string_view text) {
  if (text.empty()) throw UsageError(concat(kFrom, ": empty value"));
  if (is_bare(text))
    return {.ref = parse_ref(kFrom, std::string(text)), .directory = {}, .digest = {}, .s3 = {}, .gha = {}};
  Attributes attributes(kFrom, text);
  CacheSource source;
  const std::string type = attributes.take("type");
  if (type == "registry") {
    source.ref = parse_ref(kFrom, attributes.take("ref"));
  } else if (type == "local") {
    source.type = CacheSource::Type::Local;
    source.directory = take_directory(attributes, kFrom, "src", "dest", kTo);
    source.tag = take_tag(attributes);
    if (const std::string digest = attributes.take("digest"); !digest.empty()) {
      if (!Digest::is_valid(digest))
        throw UsageError(concat(kFrom, ": digest=", digest, " is no digest (sha256: and 64 hex digits)"));
      source.digest = Digest::parse(digest);
    }
  } else if (type == "s3") {
    source.type = CacheSource::Type::S3;
    source.s3 = take_s3(attributes, kFrom);
  } else if (type == "gha") {
    source.type = CacheSource::Type::Gha;
    source.gha = take_gha(attributes, kFrom);
  } else if (type == "inline") {
    throw UsageError(
        concat(kFrom, ": type=inline is written with ", kTo, "; read it with type=registry,ref=IMAGE"));
  } else {
    refuse_type(kFrom, type, {"registry", "local", "gha", "s3"});
  }
  source.mounts = take_mounts(attributes, kFrom);
  source.required = attributes.take_bool("required", false);
  attributes.refuse_rest({"type", "ref", "src", "tag", "digest", "required", "bucket", "region",
                          "endpoint_url", "name", "scope", "url_v2", "token", "timeout", "mounts"});
  return source;
}

CacheTarget parse_cache_target(std::string_view text) {
  if (text.empty()) throw UsageError(concat(kTo, ": empty value"));
  if (is_bare(text) && text != "inline")
    return {.ref = parse_ref(kTo, std::string(text)),
            .directory = {},
            .s3 = {},
            .gha = {},
            .compression = {},
            .form = {}};
  Attributes attributes(kTo, text == "inline" ? "type=inline" : text);
  CacheTarget target;
  const std::string type = attributes.take("type");
  target.all_steps = take_mode(attributes);
  take_place(attributes, type, target);
  if (target.type != CacheTarget::Type::Inline) {
    target.compression = attributes.take_compression();
    target.mounts = take_mounts(attributes, kTo);
    target.most_mount_bytes = take_most_mount_bytes(attributes, kTo);
    if (target.type == CacheTarget::Type::Registry || target.type == CacheTarget::Type::Local)
      take_form(attributes, target.form);
  }
  target.ignore_error = attributes.take_bool("ignore-error", false);
  attributes.refuse_rest({"type",
                          "ref",
                          "dest",
                          "tag",
                          "mode",
                          "compression",
                          "compression-level",
                          "oci-mediatypes",
                          "image-manifest",
                          "ignore-error",
                          "reset",
                          "bucket",
                          "region",
                          "endpoint_url",
                          "name",
                          "scope",
                          "url_v2",
                          "token",
                          "timeout",
                          "mounts"});
  return target;
}

}  // namespace slipway
