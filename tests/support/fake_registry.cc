#include "support/fake_registry.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <stdexcept>

#include "base/strings.h"

namespace slipway::testing_support {
namespace {

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool receive_more(int fd, std::string& buffer) {
  char piece[65536];
  const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
  if (n <= 0) return false;
  buffer.append(piece, static_cast<std::size_t>(n));
  return true;
}

std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::multimap<std::string, std::string> parse_form(std::string_view text) {
  std::multimap<std::string, std::string> out;
  if (text.empty()) return out;
  for (const std::string& field : split(text, '&')) {
    const std::size_t equals = field.find('=');
    out.emplace(decode(field.substr(0, equals)), equals == std::string::npos ? "" : decode(field.substr(equals + 1)));
  }
  return out;
}

std::string first(const std::multimap<std::string, std::string>& form, const std::string& key) {
  const auto it = form.find(key);
  return it == form.end() ? "" : it->second;
}

}  // namespace

std::string FakeRegistry::Request::header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? "" : it->second;
}

FakeRegistry::FakeRegistry() {
  listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!listener_ || ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("fake registry cannot listen on 127.0.0.1");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

FakeRegistry::~FakeRegistry() {
  stopping_ = true;
  release();
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::scoped_lock lock(mutex_);
    for (const int fd : open_fds_) ::shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& worker : workers_) worker.join();
}

std::string FakeRegistry::host() const { return concat("127.0.0.1:", port_); }

void FakeRegistry::accept_loop() {
  while (!stopping_) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++connections_count_;
    {
      const std::scoped_lock lock(mutex_);
      open_fds_.insert(fd);
    }
    workers_.emplace_back([this, fd] { serve(fd); });
  }
}

void FakeRegistry::serve(int raw_fd) {
  const UniqueFd fd(raw_fd);
  std::string buffer;
  while (!stopping_ && serve_one(fd.get(), buffer)) {
  }
  const std::scoped_lock lock(mutex_);
  open_fds_.erase(raw_fd);
}

// One request and its answer; false ends the connection.
bool FakeRegistry::serve_one(int fd, std::string& buffer) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!receive_more(fd, buffer)) return false;
    if (buffer.front() == '\x16') {  // a TLS handshake; servers of plain HTTP answer like this
      send_all(fd, "HTTP/1.0 400 Bad Request\r\n\r\n");
      return false;
    }
  }
  Request request;
  const std::vector<std::string> lines = split(std::string_view(buffer).substr(0, end), '\n');
  const std::vector<std::string> words = split(lines.front(), ' ');
  if (words.size() < 3) return false;
  request.method = words[0];
  request.target = words[1];
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    if (colon != std::string::npos)
      request.headers[to_lower(lines[i].substr(0, colon))] = trim(std::string_view(lines[i]).substr(colon + 1));
  }
  buffer.erase(0, end + 4);

  const std::optional<Fault> fault = take_fault(request);
  const std::size_t length = parse_unsigned(request.header("content-length")).value_or(0);
  const std::size_t wanted = fault && fault->cut_request_after ? std::min(length, *fault->cut_request_after) : length;
  while (buffer.size() < wanted)
    if (!receive_more(fd, buffer)) return false;
  request.body = buffer.substr(0, wanted);
  buffer.erase(0, wanted);
  {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(request);
  }
  changed_.notify_all();

  if (fault && fault->cut_request_after) {
    keep_partial(request, request.body);
    return false;
  }
  if (fault && fault->hold) wait_while_held(fd);
  Answer answer;
  if (fault && fault->status != 0) {
    answer = {.status = fault->status, .headers = {}, .body = fault->body};
  } else {
    answer = handle(request);
  }
  if (fault && fault->cut_after_work) return false;
  answer.head_only = request.method == "HEAD";
  return send_answer(fd, answer, fault);
}

std::optional<FakeRegistry::Fault> FakeRegistry::take_fault(const Request& request) {
  const std::scoped_lock lock(mutex_);
  for (auto it = scripts_.begin(); it != scripts_.end(); ++it) {
    if (!matches(request, it->method, it->target_part)) continue;
    const Fault fault = it->fault;
    if (--it->left == 0) scripts_.erase(it);
    return fault;
  }
  return std::nullopt;
}

// Ends when the test says so, and when the client hangs up: a cancelled request needs no release.
void FakeRegistry::wait_while_held(int fd) {
  std::unique_lock lock(mutex_);
  while (!released_ && !stopping_) {
    lock.unlock();
    pollfd events{.fd = fd, .events = POLLIN | POLLRDHUP, .revents = 0};
    const bool gone = ::poll(&events, 1, 5) > 0;
    lock.lock();
    if (gone) return;
  }
}

bool FakeRegistry::send_answer(int fd, const Answer& answer, const std::optional<Fault>& fault) {
  const std::string body = fault && fault->replace_body ? *fault->replace_body : answer.body;
  const int status = fault && fault->replace_status ? *fault->replace_status : answer.status;
  std::string head = concat("HTTP/1.1 ", status, " X\r\n");
  for (const std::string& header : answer.headers) {
    if (fault && fault->replace_content_range && header.starts_with("Content-Range:")) continue;
    head += header + "\r\n";
  }
  if (fault && fault->replace_content_range) head += concat("Content-Range: ", *fault->replace_content_range, "\r\n");
  if (fault)
    for (const std::string& header : fault->headers) head += header + "\r\n";
  if (status != 204) head += concat("Content-Length: ", answer.head_length.value_or(body.size()), "\r\n");
  head += "\r\n";
  if (answer.head_only || status == 204) return send_all(fd, head);
  if (fault && fault->cut_answer_after) {
    send_all(fd, head + body.substr(0, *fault->cut_answer_after));
    return false;
  }
  return send_all(fd, head + body);
}

FakeRegistry::Target FakeRegistry::parse_target(const std::string& target) {
  const std::size_t question = target.find('?');
  return {.path = decode(target.substr(0, question)),
          .query = question == std::string::npos ? std::multimap<std::string, std::string>{}
                                                 : parse_form(target.substr(question + 1))};
}

FakeRegistry::Answer FakeRegistry::error(int status, const std::string& code, const std::string& message) {
  return {.status = status,
          .headers = {"Content-Type: application/json"},
          .body = concat(R"({"errors":[{"code":")", code, R"(","message":")", message, R"("}]})")};
}

FakeRegistry::Answer FakeRegistry::handle(const Request& request) {
  const std::scoped_lock lock(mutex_);
  const Target target = parse_target(request.target);
  if (target.path == "/token") return token(request, target);
  if (auto refused = check_auth(request, target)) return *refused;
  if (!target.path.starts_with("/v2/")) return error(404, "UNSUPPORTED", "no such page");
  const std::string rest = target.path.substr(4);
  for (const std::string_view kind : {"/blobs/uploads/", "/blobs/", "/manifests/"}) {
    const std::size_t at = rest.rfind(kind);
    if (at == std::string::npos) continue;
    const std::string repository = rest.substr(0, at);
    const std::string name = rest.substr(at + kind.size());
    if (kind == "/blobs/") return blobs(request, repository, name);
    if (kind == "/manifests/") return manifests(request, repository, name);
    return name.empty() ? start_upload(request, target, repository) : upload(request, target, repository, name);
  }
  return {};
}

std::optional<FakeRegistry::Answer> FakeRegistry::check_auth(const Request& request, const Target& target) {
  const std::string sent = request.header("authorization");
  if (auth_ == Auth::None) return std::nullopt;
  Answer refused = error(401, "UNAUTHORIZED", "authentication required");
  if (auth_ == Auth::Basic) {
    if (sent == "Basic " + base64_encode(concat(user_, ":", password_))) return std::nullopt;
    refused.headers.emplace_back("WWW-Authenticate: Basic realm=\"fake registry\"");
    return refused;
  }
  const std::string rest = target.path.substr(std::min<std::size_t>(4, target.path.size()));
  const std::size_t end = std::min(rest.rfind("/blobs/"), rest.rfind("/manifests/"));
  const std::string repository = rest.substr(0, end);
  const bool read = request.method == "GET" || request.method == "HEAD";
  const auto known = sent.starts_with("Bearer ") ? tokens_.find(sent.substr(7)) : tokens_.end();
  if (known != tokens_.end()) {
    const std::string push = concat("repository:", repository, ":pull,push");
    const std::string pull = concat("repository:", repository, ":pull");
    if (known->second.contains(push) || (read && known->second.contains(pull))) return std::nullopt;
  }
  refused.headers.push_back(concat("WWW-Authenticate: Bearer realm=\"", realm_.empty() ? url() + "/token" : realm_,
                                   "\",service=\"fake\",scope=\"repository:", repository,
                                   read ? ":pull\"" : ":pull,push\""));
  return refused;
}

FakeRegistry::Answer FakeRegistry::token(const Request& request, const Target& target) {
  std::set<std::string> scopes;
  bool allowed = false;
  if (request.method == "POST") {
    const auto form = parse_form(request.body);
    for (const std::string& scope : split(first(form, "scope"), ' ')) scopes.insert(scope);
    allowed = first(form, "grant_type") == "refresh_token" && !identity_token_.empty() &&
              first(form, "refresh_token") == identity_token_;
  } else {
    for (auto [it, end] = target.query.equal_range("scope"); it != end; ++it) scopes.insert(it->second);
    const std::string sent = request.header("authorization");
    allowed = sent == "Basic " + base64_encode(concat(user_, ":", password_));
    if (sent.empty() && anonymous_pull_) {
      allowed = true;
      std::erase_if(scopes, [](const std::string& scope) { return scope.ends_with("push"); });
    }
  }
  if (!allowed) return error(401, "UNAUTHORIZED", "incorrect username or password");
  const std::string token = concat("token-", next_token_++);
  tokens_[token] = scopes;
  return {.status = 200,
          .headers = {"Content-Type: application/json"},
          .body = concat(R"({"token":")", token, R"(","expires_in":)", token_lifetime_, "}")};
}

FakeRegistry::Answer FakeRegistry::blobs(const Request& request, const std::string& repository,
                                         const std::string& digest) {
  const auto& here = blobs_[repository];
  const auto it = here.find(digest);
  if (it == here.end()) return error(404, "BLOB_UNKNOWN", "blob unknown to registry");
  const std::string& bytes = it->second;
  Answer answer{.status = 200, .headers = {"Docker-Content-Digest: " + digest}, .body = bytes};
  const std::string range = request.header("range");
  if (ranges_ && range.starts_with("bytes=")) {
    const std::size_t from = parse_unsigned(std::string_view(range).substr(6, range.find('-') - 6)).value_or(0);
    if (from >= bytes.size()) return error(416, "RANGE_INVALID", "beyond the end");
    answer.status = 206;
    answer.body = bytes.substr(from);
    answer.headers.push_back(concat("Content-Range: bytes ", from, "-", bytes.size() - 1, "/", bytes.size()));
  }
  return answer;
}

std::string FakeRegistry::location(const std::string& path) const { return relative_ ? path : url() + path; }

FakeRegistry::Answer FakeRegistry::start_upload(const Request& request, const Target& target,
                                                const std::string& repository) {
  if (request.method != "POST") return error(405, "UNSUPPORTED", "method not allowed");
  const std::string mount = first(target.query, "mount");
  if (mounts_ && !mount.empty()) {
    const auto& from = blobs_[first(target.query, "from")];
    if (const auto it = from.find(mount); it != from.end()) {
      const std::string bytes = it->second;
      blobs_[repository][mount] = bytes;
      return {.status = 201, .headers = {concat("Location: ", location(concat("/v2/", repository, "/blobs/", mount)))}};
    }
  }
  const std::string id = concat("upload-", next_upload_++);
  uploads_[id] = "";
  // A query in the location, which clients must keep.
  return {.status = 202,
          .headers = {concat("Location: ", location(concat("/v2/", repository, "/blobs/uploads/", id, "?_state=a%2Bb"))),
                      "Range: 0-0"}};
}

FakeRegistry::Answer FakeRegistry::upload(const Request& request, const Target& target, const std::string& repository,
                                          const std::string& id) {
  const auto it = uploads_.find(id);
  if (it == uploads_.end() || first(target.query, "_state") != "a+b")
    return error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
  const std::vector<std::string> where = {
      concat("Location: ", location(concat("/v2/", repository, "/blobs/uploads/", id, "?_state=a%2Bb"))),
      concat("Range: 0-", it->second.empty() ? 0 : it->second.size() - 1)};
  if (request.method == "DELETE") {
    uploads_.erase(it);
    return {.status = 204};
  }
  if (request.method == "GET") {
    if (!resume_) return error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    return {.status = 204, .headers = where};
  }
  if (request.method == "PATCH") {
    const std::string range = request.header("content-range");
    const std::size_t from = parse_unsigned(std::string_view(range).substr(0, range.find('-'))).value_or(0);
    if (from != it->second.size()) return error(416, "RANGE_INVALID", "wrong offset");
    it->second += request.body;
    return {.status = 202, .headers = where};
  }
  if (request.method != "PUT") return error(405, "UNSUPPORTED", "method not allowed");
  const std::string bytes = it->second + request.body;
  const std::string digest = first(target.query, "digest");
  if (Digest::of(bytes).str() != digest) return error(400, "DIGEST_INVALID", "provided digest did not match");
  uploads_.erase(it);
  blobs_[repository][digest] = bytes;
  return {.status = 201, .headers = {"Docker-Content-Digest: " + digest}};
}

FakeRegistry::Answer FakeRegistry::manifests(const Request& request, const std::string& repository,
                                             const std::string& reference) {
  if (request.method == "PUT") {
    const StoredManifest stored{request.header("content-type"), request.body};
    const std::string digest = Digest::of(request.body).str();
    manifests_[repository][digest] = stored;
    manifests_[repository][reference] = stored;
    return {.status = 201, .headers = {"Docker-Content-Digest: " + digest}};
  }
  const auto& here = manifests_[repository];
  const auto it = here.find(reference);
  if (it == here.end()) return error(404, "MANIFEST_UNKNOWN", "manifest unknown");
  Answer answer{.status = 200, .headers = {"Content-Type: " + it->second.media_type}, .body = it->second.bytes};
  if (!omit_digest_) answer.headers.push_back("Docker-Content-Digest: " + Digest::of(it->second.bytes).str());
  return answer;
}

void FakeRegistry::keep_partial(const Request& request, const std::string& bytes) {
  const std::scoped_lock lock(mutex_);
  const Target target = parse_target(request.target);
  const auto it = uploads_.find(target.path.substr(target.path.rfind('/') + 1));
  if (it != uploads_.end()) it->second += bytes;
}

}  // namespace slipway::testing_support
