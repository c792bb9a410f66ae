#include "nodes/http_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "graph/git_url.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

std::string attribute(const SourceOp& source, const char* name) {
  const auto found = source.attrs.find(name);
  return found == source.attrs.end() ? std::string() : found->second;
}

std::optional<Digest> pinned_content(const SourceOp& source) {
  const std::string checksum = attribute(source, kAttrHttpChecksum);
  if (checksum.empty()) return std::nullopt;
  if (Digest::is_valid(checksum)) return Digest::parse(checksum);
  InvalidInput bad(concat("the checksum \"", checksum, "\" is not of the form sha256:<64 hex digits>"));
  bad.set_hint("sha256sum FILE prints the digits");
  throw bad;
}

/// "user:password" of a URL, which must not be in what is shown and asked for.
std::string userinfo_of(const std::string& url) {
  const std::size_t begin = url.find("://") + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::size_t at = url.rfind('@', end);
  return at == std::string::npos || at < begin ? std::string() : url.substr(begin, at - begin);
}

std::string host_without_port(const std::string& url) {
  const std::string host = git_host(url);
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

std::string base_of(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

bool is_file_name(std::string_view name) {
  constexpr std::size_t kLongest = 255;
  return !name.empty() && name != "." && name != ".." && name.size() <= kLongest &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

/// The filename parameter of a Content-Disposition header; empty if there is none.
std::string disposition_name(const std::string& header) {
  const std::string lower = to_lower(header);
  std::size_t at = 0;
  while ((at = lower.find("filename=", at)) != std::string::npos) {
    if (at == 0 || lower[at - 1] == ';' || lower[at - 1] == ' ') break;
    ++at;
  }
  if (at == std::string::npos) return {};
  std::string_view value = trim(std::string_view(header).substr(at + 9));
  if (!value.starts_with('"')) return std::string(trim(value.substr(0, value.find(';'))));
  std::string name;
  for (std::size_t i = 1; i < value.size() && value[i] != '"'; ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    name += value[i];
  }
  return name;
}

}  // namespace

std::string download_name(const std::string& asked, const std::string& content_disposition,
                          const std::string& url) {
  if (!asked.empty()) {
    if (is_file_name(asked)) return asked;
    throw InvalidInput(concat("\"", asked, "\" is no name for a downloaded file"));
  }
  if (const std::string name = base_of(disposition_name(content_disposition)); is_file_name(name))
    return name;
  const std::size_t host = url.find("://") + 3;
  const std::size_t path = url.find('/', host);
  const std::size_t end = std::min(url.find_first_of("?#", host), url.size());
  if (path < end)
    if (const std::string name = base_of(url.substr(path, end - path)); is_file_name(name)) return name;
  return "download";
}

/// Where a source is on the network, and where the store keeps what is known of it.
struct HttpSource::Place {
  HttpDownload what;
  fs::path record;
  std::string host;
};

/// What the server said of the body that is in the store.
struct HttpSource::Record {
  Digest content;
  std::string etag, last_modified, content_disposition;

  HttpVersion version(const SourceOp& source) const {
    return {.content = content,
            .filename =
                download_name(attribute(source, kAttrHttpFilename), content_disposition, source.identifier),
            .modified = parse_http_date(last_modified)};
  }
};

std::string HttpVersion::identity() const {
  return concat("http ", content.str(), " ", modified ? std::to_string(*modified) : "-", " ", filename);
}

bool HttpSource::is_http(const SourceOp& source) {
  return source.identifier.starts_with("http://") || source.identifier.starts_with("https://");
}

HttpSource::Place HttpSource::place_of(const SourceOp& source) const {
  const std::string& url = source.identifier;
  const bool bad = std::ranges::any_of(url, [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
  if (!is_http(source) || bad || host_without_port(url).empty())
    throw InvalidInput(concat("\"", without_credentials(url), "\" is no http or https URL"));
  const std::string plain = without_credentials(url);
  Place place{.what = {.url = plain.substr(0, plain.find('#')), .authorization = {}},
              .record = store_.root() / "http" / concat(Digest::of(url).hex(), ".json"),
              .host = host_without_port(url)};
  const auto secret = [&](const std::string& id) {
    const auto found = secrets_.find(id);
    return found == secrets_.end() ? std::string() : std::string(trim(found->second.reveal()));
  };
  std::string value = secret("HTTP_AUTH_HEADER_" + place.host);
  if (value.empty()) {
    const std::string token = secret("HTTP_AUTH_TOKEN_" + place.host);
    if (!token.empty()) value = "Bearer " + token;
  }
  if (value.empty())
    if (const std::string user = userinfo_of(url); !user.empty()) value = "Basic " + base64_encode(user);
  place.what.authorization = Secret(value);
  return place;
}

std::optional<HttpSource::Record> HttpSource::read_record(const Place& place) const {
  const auto text = read_regular_file_if_exists(place.record);
  if (!text) return std::nullopt;
  const auto document = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return std::nullopt;  // as good as none
  const auto of = [&](const char* name) {
    const auto found = document.find(name);
    return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!Digest::is_valid(of("digest"))) return std::nullopt;
  return Record{.content = Digest::parse(of("digest")),
                .etag = of("etag"),
                .last_modified = of("lastModified"),
                .content_disposition = of("contentDisposition")};
}

HttpSource::Record HttpSource::download(const SourceOp& source, const Place& place,
                                        const std::optional<Digest>& expected, const ItemProgress& progress,
                                        std::stop_token stop) {
  store_.lease(LeaseKind::HttpRecord, place.record.filename().native());
  std::optional<Record> known = read_record(place);
  if (known && !store_.blobs().has(known->content)) known.reset();
  if (expected && known && known->content != *expected) known.reset();
  HttpDownload what = place.what;
  if (known) {
    what.etag = known->etag;
    what.last_modified = known->last_modified;
  }
  BlobWriter writer = store_.blobs().create();
  const BlobSink sink{.write = [&](std::string_view bytes) { writer.write(bytes); },
                      .restart = [&] { writer.restart(); }};
  const std::string item = concat("downloading ", download_name("", "", place.what.url));
  const auto told = [&](std::uint64_t current, std::uint64_t total) {
    if (progress) progress(item, current, total);
  };
  HttpDownloaded got;
  try {
    got = downloader_.download(what, sink, told, stop);
  } catch (Denied& denied) {
    denied.set_hint(concat("give a token: --secret id=HTTP_AUTH_TOKEN_", place.host, ",env=VARIABLE"));
    throw;
  }
  if (got.not_modified && known) return *known;
  Record record{.content = Digest::of(""),
                .etag = got.etag,
                .last_modified = got.last_modified,
                .content_disposition = got.content_disposition};
  try {
    record.content = writer.commit(expected).digest;
  } catch (IntegrityError& wrong) {
    wrong.add_context(without_credentials(source.identifier));
    wrong.set_hint("the file changed, or the checksum in the Dockerfile is of another one");
    throw;
  }
  std::error_code ignored;
  fs::create_directories(place.record.parent_path(), ignored);
  const nlohmann::json document{{"schemaVersion", 1},
                                {"digest", record.content.str()},
                                {"etag", record.etag},
                                {"lastModified", record.last_modified},
                                {"contentDisposition", record.content_disposition}};
  write_file_atomic(place.record, document.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
                    Durability::None, 0600);
  return record;
}

HttpVersion HttpSource::resolve(const SourceOp& source, const ItemProgress& progress, std::stop_token stop) {
  const Place place = place_of(source);
  if (const auto pinned = pinned_content(source))
    return {.content = *pinned,
            .filename = download_name(attribute(source, kAttrHttpFilename), "", source.identifier),
            .modified = std::nullopt};
  return download(source, place, std::nullopt, progress, stop).version(source);
}

void HttpSource::fetch(const SourceOp& source, const HttpVersion& version, const ItemProgress& progress,
                       std::stop_token stop) {
  if (!store_.blobs().has(version.content))
    download(source, place_of(source), version.content, progress, stop);
}

SnapshotId HttpSource::unpack(const SourceOp& source, const HttpVersion& version,
                              const ItemProgress& progress, std::stop_token stop) {
  fetch(source, version, progress, stop);
  std::optional<std::int64_t> modified = version.modified;
  if (!modified)
    if (const auto record = read_record(place_of(source)); record && record->content == version.content)
      modified = parse_http_date(record->last_modified);
  const UniqueFd blob = store_.blobs().open(version.content);
  ActiveSnapshot active = store_.snapshots().prepare_unmounted(std::nullopt);
  {
    const fs::path path = active.upper() / version.filename;
    const UniqueFd file = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    copy_bytes(blob.get(), file.get(), store_.blobs().size(version.content).value_or(0), path.native(), stop);
    if (::fchmod(file.get(), 0600) != 0) throw SystemError(errno, "chmod", path.native());
    const struct timespec times[2] = {{.tv_sec = modified.value_or(0), .tv_nsec = 0},
                                      {.tv_sec = modified.value_or(0), .tv_nsec = 0}};
    if (::futimens(file.get(), times) != 0) throw SystemError(errno, "set times of", path.native());
  }
  return store_.snapshots().commit(std::move(active), std::time(nullptr));
}

}  // namespace slipway
