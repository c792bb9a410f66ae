// What a test tells the registry, and asks of it.
#include <algorithm>
#include <chrono>

#include "support/fake_registry.h"

namespace slipway::testing_support {

Digest FakeRegistry::add_blob(const std::string& repository, std::string bytes) {
  const Digest digest = Digest::of(bytes);
  const std::scoped_lock lock(mutex_);
  blobs_[repository][digest.str()] = std::move(bytes);
  return digest;
}

Digest FakeRegistry::add_manifest(const std::string& repository, const std::string& tag, const std::string& media_type,
                                  std::string bytes) {
  const Digest digest = Digest::of(bytes);
  const std::scoped_lock lock(mutex_);
  manifests_[repository][digest.str()] = {media_type, bytes};
  manifests_[repository][tag] = {media_type, std::move(bytes)};
  return digest;
}

std::optional<std::string> FakeRegistry::blob(const std::string& repository, const Digest& digest) const {
  const std::scoped_lock lock(mutex_);
  const auto it = blobs_.find(repository);
  if (it == blobs_.end() || !it->second.contains(digest.str())) return std::nullopt;
  return it->second.at(digest.str());
}

std::optional<std::string> FakeRegistry::manifest(const std::string& repository, const std::string& reference) const {
  const std::scoped_lock lock(mutex_);
  const auto it = manifests_.find(repository);
  if (it == manifests_.end() || !it->second.contains(reference)) return std::nullopt;
  return it->second.at(reference).bytes;
}

std::size_t FakeRegistry::open_uploads() const {
  const std::scoped_lock lock(mutex_);
  return uploads_.size();
}

void FakeRegistry::require_basic(const std::string& user, const std::string& password) {
  const std::scoped_lock lock(mutex_);
  auth_ = Auth::Basic;
  user_ = user;
  password_ = password;
}

void FakeRegistry::require_token(const std::string& user, const std::string& password, bool anonymous_pull) {
  const std::scoped_lock lock(mutex_);
  auth_ = Auth::Token;
  user_ = user;
  password_ = password;
  anonymous_pull_ = anonymous_pull;
}

void FakeRegistry::accept_identity_token(const std::string& token) {
  const std::scoped_lock lock(mutex_);
  identity_token_ = token;
}
void FakeRegistry::set_token_realm(const std::string& realm) {
  const std::scoped_lock lock(mutex_);
  realm_ = realm;
}
void FakeRegistry::set_token_lifetime(int seconds) {
  const std::scoped_lock lock(mutex_);
  token_lifetime_ = seconds;
}
void FakeRegistry::forget_tokens() {
  const std::scoped_lock lock(mutex_);
  tokens_.clear();
}
void FakeRegistry::support_ranges(bool yes) {
  const std::scoped_lock lock(mutex_);
  ranges_ = yes;
}
void FakeRegistry::support_mounts(bool yes) {
  const std::scoped_lock lock(mutex_);
  mounts_ = yes;
}
void FakeRegistry::support_resume(bool yes) {
  const std::scoped_lock lock(mutex_);
  resume_ = yes;
}
void FakeRegistry::relative_locations(bool yes) {
  const std::scoped_lock lock(mutex_);
  relative_ = yes;
}
void FakeRegistry::omit_digest_header(bool yes) {
  const std::scoped_lock lock(mutex_);
  omit_digest_ = yes;
}

void FakeRegistry::script(const std::string& method, const std::string& target_part, Fault fault, int times) {
  const std::scoped_lock lock(mutex_);
  scripts_.push_back({method, target_part, std::move(fault), times});
}

void FakeRegistry::release() {
  const std::scoped_lock lock(mutex_);
  released_ = true;
}

bool FakeRegistry::matches(const Request& request, const std::string& method, const std::string& part) {
  return (method.empty() || request.method == method) && request.target.find(part) != std::string::npos;
}

std::vector<FakeRegistry::Request> FakeRegistry::requests() const { return requests("", ""); }

std::vector<FakeRegistry::Request> FakeRegistry::requests(const std::string& method,
                                                          const std::string& target_part) const {
  const std::scoped_lock lock(mutex_);
  std::vector<Request> out;
  std::ranges::copy_if(requests_, std::back_inserter(out),
                       [&](const Request& request) { return matches(request, method, target_part); });
  return out;
}

std::size_t FakeRegistry::count(const std::string& method, const std::string& target_part) const {
  return requests(method, target_part).size();
}

bool FakeRegistry::wait_for(const std::string& method, const std::string& target_part, std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
    return static_cast<std::size_t>(std::ranges::count_if(requests_, [&](const Request& request) {
             return matches(request, method, target_part);
           })) >= count;
  });
}

}  // namespace slipway::testing_support
