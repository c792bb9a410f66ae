#include "registry/client.h"

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"
#include "manifest/media_types.h"
#include "registry/answers.h"
#include "registry/blobs.h"
#include "registry/session.h"
#include "registry/url.h"

namespace slipway {
namespace {

constexpr std::size_t kMaxManifest = JsonDocument::kMaxBytes;

void accept_manifests(HttpRequest& request) {
  request.headers.push_back(concat("Accept: ", media_type::kOciIndex, ", ", media_type::kDockerManifestList, ", ",
                                   media_type::kOciManifest, ", ", media_type::kDockerManifest));
}

// One document must mean the same to every reader: the Content-Type may not say index where the bytes say manifest
// (CVE-2021-41190).
std::string checked_media_type(const HttpResponse& response, const std::string& what) {
  std::string own;
  try {
    own = document_media_type(response.body);
  } catch (InvalidInput& error) {
    error.add_context(what);
    throw;
  }
  const std::string header = response.header("content-type").value_or("");
  const std::string said(trim(std::string_view(header).substr(0, header.find(';'))));
  const bool clash = (media_type::is_index(said) && !media_type::is_index(own)) ||
                     (media_type::is_manifest(said) && !media_type::is_manifest(own));
  if (clash) throw InvalidInput(concat(what, ": the registry calls it ", said, ", the document is a ", own));
  return own;
}

std::optional<Digest> digest_header(const HttpResponse& response) {
  const std::string text = response.header("docker-content-digest").value_or("");
  if (!Digest::is_valid(text)) return std::nullopt;
  return Digest::parse(text);
}

}  // namespace

struct RegistryClient::Impl {
  Impl(RegistryOptions options, std::shared_ptr<CredentialSource> credentials, Logger& logger)
      : session(options, std::move(credentials), logger) {}
  RegistrySession session;

  HttpResponse get_manifest(const ImageRef& ref, const std::string& identifier, const std::string& what,
                            const std::stop_token& stop) {
    ApiCall call = session.call(ref, Access::Pull, HttpMethod::Get, concat("manifests/", identifier), what);
    call.request.max_answer = kMaxManifest;
    accept_manifests(call.request);
    HttpResponse response = session.send(call, stop);
    if (response.status == 404) {
      const std::string details = error_details(response);
      throw NotFound(concat(ref.str(), ": not found in the registry", details.empty() ? "" : " (", details,
                            details.empty() ? "" : ")"));
    }
    if (!response.ok()) throw_refusal(response, ref.domain(), what);
    return response;
  }

  HttpResponse head_manifest(const ImageRef& ref, const std::string& identifier, const std::string& what,
                             const std::stop_token& stop) {
    ApiCall call = session.call(ref, Access::Pull, HttpMethod::Head, concat("manifests/", identifier), what);
    accept_manifests(call.request);
    HttpResponse response = session.send(call, stop);
    if (!response.ok() && response.status != 404) throw_refusal(response, ref.domain(), what);
    return response;
  }

  /// False if `condition` (a header; may be empty) was not met.
  bool put_manifest(const ImageRef& ref, const std::string& tag_or_digest, const std::string& media_type,
                    const std::string& bytes, const std::string& condition, const std::stop_token& stop) {
    const std::string what = concat("pushing ", ref.name(), Digest::is_valid(tag_or_digest) ? "@" : ":", tag_or_digest);
    if (bytes.size() > kMaxManifest)
      throw InvalidInput(concat(what, ": the manifest has ", bytes.size(), " bytes; registries take ", kMaxManifest));
    if (Digest::is_valid(tag_or_digest)) check_digest(bytes, Digest::parse(tag_or_digest), what);
    const std::string path =
        concat("manifests/", Digest::is_valid(tag_or_digest) ? tag_or_digest : percent_encode(tag_or_digest));
    ApiCall call = session.call(ref, Access::Push, HttpMethod::Put, path, what);
    call.request.headers.push_back(concat("Content-Type: ", media_type));
    if (!condition.empty()) call.request.headers.push_back(condition);
    call.request.body = Secret(bytes);
    const HttpResponse response = session.send(call, stop);
    if (!condition.empty() && (response.status == 412 || response.status == 409)) return false;
    if (!response.ok()) throw_refusal(response, ref.domain(), what);
    const auto stored = digest_header(response);
    if (stored && *stored != Digest::of(bytes))
      throw IntegrityError(concat(what, ": the registry stored ", stored->str(), ", not ", Digest::of(bytes).str()));
    return true;
  }
};

RegistryClient::RegistryClient(RegistryOptions options, std::shared_ptr<CredentialSource> credentials, Logger& logger)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(credentials), logger)) {}
RegistryClient::~RegistryClient() = default;

FetchedManifest RegistryClient::fetch_manifest(const ImageRef& ref, std::stop_token stop) {
  const std::string what = concat("pulling ", ref.str());
  HttpResponse response = impl_->get_manifest(ref, ref.identifier(), what, stop);
  const Digest digest = Digest::of(response.body);
  const std::optional<Digest> promised = ref.digest() ? ref.digest() : digest_header(response);
  if (promised && digest != *promised)
    throw IntegrityError(concat(what, ": the manifest's bytes have digest ", digest.str(), ", not ", promised->str()));
  std::string type = checked_media_type(response, what);
  return {.media_type = std::move(type), .bytes = std::move(response.body), .digest = digest};
}

void RegistryClient::fetch_blob(const ImageRef& ref, const Descriptor& blob, const BlobSink& sink,
                                const TransferProgress& progress, std::stop_token stop) {
  slipway::fetch_blob(impl_->session, ref, blob, sink, progress, stop);
}

PushEnd RegistryClient::push_blob(const ImageRef& ref, const Descriptor& blob, const std::function<UniqueFd()>& open,
                                  const std::vector<std::string>& mount_from, const TransferProgress& progress,
                                  std::stop_token stop) {
  return slipway::push_blob(impl_->session, ref, blob, open, mount_from, progress, stop);
}

bool RegistryClient::has_manifest(const ImageRef& ref, const Digest& digest, std::stop_token stop) {
  return impl_->head_manifest(ref, digest.str(), concat("looking for ", ref.name(), "@", digest.str()), stop).ok();
}

void RegistryClient::push_manifest(const ImageRef& ref, const std::string& tag_or_digest,
                                   const std::string& media_type, const std::string& bytes, std::stop_token stop) {
  impl_->put_manifest(ref, tag_or_digest, media_type, bytes, {}, stop);
}

bool RegistryClient::replace_manifest(const ImageRef& ref, const std::optional<Digest>& expected,
                                      const std::string& media_type, const std::string& bytes, std::stop_token stop) {
  const std::string condition = expected ? concat("If-Match: \"", expected->str(), "\"") : "If-None-Match: *";
  return impl_->put_manifest(ref, ref.tag(), media_type, bytes, condition, stop);
}

std::optional<Digest> RegistryClient::resolve_tag(const ImageRef& ref, std::stop_token stop) {
  const std::string what = concat("resolving ", ref.str());
  const std::string& tag = ref.tag();
  const std::string identifier = tag.empty() ? ref.identifier() : tag;
  const HttpResponse response = impl_->head_manifest(ref, identifier, what, stop);
  if (response.status == 404) return std::nullopt;
  if (const auto digest = digest_header(response)) return digest;
  // The header is optional; the bytes always tell.
  return Digest::of(impl_->get_manifest(ref, identifier, what, stop).body);
}

}  // namespace slipway
