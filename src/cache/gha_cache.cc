#include "cache/gha_cache.h"

#include <sys/stat.h>

#include <chrono>
#include <random>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "cache/cache_content.h"
#include "manifest/json_reader.h"

// The service has no conditional write, but a key can be taken once. So the number of an index is what a
// version is elsewhere: who has read N writes N+1, and of two who try one is refused. What a search by prefix
// gives is the newest by time; one that took long to be written can hide a higher number, so the next number
// is asked for until there is none.
namespace slipway {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint64_t kMostSteps = 100;  ///< of numbers above the one that was found
constexpr std::uint64_t kMostNumber = std::uint64_t{1} << 40;

std::string blob_key(const Digest& digest) { return concat("buildkit-blob-1-", digest.str()); }

std::uint64_t size_of(int fd, const std::string& what) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw SystemError(errno, "stat", what);
  return static_cast<std::uint64_t>(status.st_size);
}

FoundCache parse_index_entry(const std::string& bytes) {
  FoundCache found;
  try {
    if (is_of_newer_form(bytes)) {
      found.kind = FoundCache::Kind::Other;
      found.problem = "was made by a newer slipway";
    } else {
      found.config = parse_cache_config(bytes);
      found.kind = FoundCache::Kind::Cache;
    }
  } catch (const InvalidInput& e) {
    found.kind = FoundCache::Kind::Damaged;
    found.problem = concat("is damaged: ", e.what());
  }
  return found;
}

std::unique_ptr<GhaService> make_service(const GhaCache::Options& options, PatientHttp& http) {
  return options.api == GhaCache::Options::Api::V1 ? gha_service_v1(options.url, options.token, http)
                                                   : gha_service_v2(options.url, options.token, http);
}

}  // namespace

GhaCache::GhaCache(Options options, Role role, Logger& logger)
    : options_(std::move(options)),
      role_(role),
      logger_(logger),
      http_({.timeout = options_.timeout, .first_delay = options_.first_delay}, logger),
      service_(make_service(options_, http_)),
      blobs_(http_) {}

std::string GhaCache::name() const { return concat("the cache ", options_.cache_name, " of GitHub Actions"); }

std::string GhaCache::index_prefix(const std::string& scope) const {
  return concat("index-", options_.cache_name, "-1-", Digest::of(scope).hex().substr(0, 8), "#");
}

const std::string& GhaCache::own_scope() const {
  for (const GhaScope& scope : options_.scopes)
    if (scope.may_write) return scope.name;
  Denied error("the token of this run may only read");
  error.set_hint(
      "Runs for pull requests from forks get such tokens; save the cache in runs of the branch only.");
  throw error;
}

std::optional<GhaCache::Latest> GhaCache::latest(const std::string& scope, const std::stop_token& stop) {
  const std::string prefix = index_prefix(scope);
  auto entry = service_->find_newest(prefix, stop);
  if (!entry) return std::nullopt;
  const auto number = parse_unsigned(std::string_view(entry->key).substr(prefix.size()));
  if (!number || *number > kMostNumber)
    throw TransportError(concat("the cache service found ", entry->key.substr(0, 200), " for ", prefix),
                         /*retryable=*/false);
  Latest latest{.entry = std::move(*entry), .number = *number};
  for (std::uint64_t step = 0; step < kMostSteps; ++step) {
    auto next = service_->find(concat(prefix, latest.number + 1), stop);
    if (!next) break;
    latest = {.entry = std::move(*next), .number = latest.number + 1};
  }
  return latest;
}

std::string GhaCache::read_index(const Latest& latest, const std::stop_token& stop) {
  return blobs_.read(latest.entry.url.reveal(), JsonDocument::kMaxBytes, latest.entry.key, stop);
}

FoundCache GhaCache::read_scope(const std::string& scope, const std::stop_token& stop) {
  auto found = latest(scope, stop);
  if (!found) return {};
  std::string bytes;
  try {
    bytes = read_index(*found, stop);
  } catch (const NotFound&) {
    return {};  // it was evicted just now
  }
  FoundCache cache = parse_index_entry(bytes);
  cache.version = std::to_string(found->number);
  return cache;
}

FoundCache GhaCache::read(std::stop_token stop) {
  if (role_ == Role::Writer) return read_scope(own_scope(), stop);
  FoundCache all;
  std::set<std::string> done;
  for (const GhaScope& scope : options_.scopes) {
    if (!done.insert(scope.name).second) continue;
    FoundCache one = read_scope(scope.name, stop);
    if (one.kind == FoundCache::Kind::Nothing) continue;
    if (all.kind == FoundCache::Kind::Cache) {
      if (one.kind == FoundCache::Kind::Cache) append_cache(all.config, std::move(one.config));
    } else if (one.kind == FoundCache::Kind::Cache || all.kind == FoundCache::Kind::Nothing) {
      all = std::move(one);
    }
  }
  return all;
}

void GhaCache::fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
                     std::stop_token stop) {
  if (into.has(layer.digest)) return;
  const std::string what = concat("layer ", layer.digest.str());
  BlobWriter writer = into.create();
  if (progress) progress(0, layer.size);
  for (bool again = false;; again = true) {
    const auto entry = service_->find(blob_key(layer.digest), stop);
    if (!entry) throw NotFound(concat(what, " is not there"));
    try {
      blobs_.download(entry->url.reveal(), writer, layer.size, what, progress, stop);
      break;
    } catch (const Denied&) {
      if (again) throw;  // the address had expired in the middle, perhaps: a new one is asked for
    }
  }
  writer.commit(layer.digest);
}

bool GhaCache::is_abandoned(const std::string& key, const std::stop_token& stop) {
  std::minstd_rand random(std::random_device{}());
  const Clock::time_point begin = Clock::now();
  while (!service_->find(key, stop)) {
    if (Clock::now() - begin >= options_.patience) return true;
    sleep_unless_stopped(Seconds(std::uniform_real_distribution<double>(0.3, 0.6)(random)), stop);
  }
  return false;
}

void GhaCache::add(const LayerUpload& layer, std::stop_token stop) {
  if (role_ == Role::Writer) own_scope();
  const Digest& digest = layer.layer.digest;
  if (there_.lock()->contains(digest)) return;
  if (!service_->find(blob_key(digest), stop)) upload(layer, concat("layer ", digest.str()), stop);
  there_.lock()->insert(digest);
}

void GhaCache::upload(const LayerUpload& upload, const std::string& what, const std::stop_token& stop) {
  const std::string key = blob_key(upload.layer.digest);
  const auto url = service_->reserve(key, stop);
  if (!url) {
    if (is_abandoned(key, stop))
      logger_.log(LogLevel::Warning, concat(what, " was begun by another writer and is not there yet"));
    return;
  }
  const UniqueFd file = upload.open();
  const std::uint64_t size = size_of(file.get(), what);
  if (size != upload.layer.size)
    throw IntegrityError(concat(what, " has ", size, " bytes, not ", upload.layer.size));
  service_->upload(*url, file.get(), size, what, stop);
  if (!service_->finish(key, *url, size, stop) && !service_->find(key, stop))
    throw TransportError(concat(what, ": the cache service does not take it"), /*retryable=*/false);
}

bool GhaCache::write(const CacheConfig& config, const std::string& version, std::stop_token stop) {
  const std::string bytes = to_json(config);
  if (bytes.size() > JsonDocument::kMaxBytes)
    throw InvalidInput(concat("the cache's list of ", config.layers.size(), " layers is too large"));
  const std::string prefix = index_prefix(own_scope());
  std::uint64_t number = parse_unsigned(version).value_or(0) + 1;
  for (std::uint64_t step = 0; step < kMostSteps; ++step, ++number) {
    const std::string key = concat(prefix, number);
    if (const auto url = service_->reserve(key, stop)) {
      service_->write(*url, bytes, key, stop);
      return service_->finish(key, *url, bytes.size(), stop);
    }
    if (!is_abandoned(key, stop)) return false;
  }
  return false;
}

}  // namespace slipway
