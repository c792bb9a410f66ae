#pragma once
// A registry in memory that speaks real HTTP/1.1 on 127.0.0.1, fails as a test scripts it, and records what it was
// asked. Not a model of any product: it does what distribution-spec says, and wrong things on request.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "base/unique_fd.h"

namespace slipway::testing_support {

class FakeRegistry {
 public:
  FakeRegistry();
  ~FakeRegistry();
  FakeRegistry(const FakeRegistry&) = delete;
  FakeRegistry& operator=(const FakeRegistry&) = delete;

  std::string host() const;  ///< "127.0.0.1:PORT"
  std::string url() const { return "http://" + host(); }

  // What it holds.
  Digest add_blob(const std::string& repository, std::string bytes);
  Digest add_manifest(const std::string& repository, const std::string& tag, const std::string& media_type,
                      std::string bytes);
  std::optional<std::string> blob(const std::string& repository, const Digest& digest) const;
  std::optional<std::string> manifest(const std::string& repository, const std::string& reference) const;
  std::size_t open_uploads() const;

  // How it behaves.
  void require_basic(const std::string& user, const std::string& password);
  /// Bearer tokens from its own /token; anonymous ones for pulls only if `anonymous_pull`.
  void require_token(const std::string& user, const std::string& password, bool anonymous_pull = false);
  void accept_identity_token(const std::string& token);
  void set_token_realm(const std::string& realm);
  void set_token_lifetime(int seconds);
  void forget_tokens();  ///< those handed out are no longer valid
  void support_ranges(bool yes);
  void support_mounts(bool yes);
  void support_resume(bool yes);
  void relative_locations(bool yes);
  void omit_digest_header(bool yes);

  /// What happens to the next `times` requests of `method` (any if empty) whose target contains `target_part`.
  struct Fault {
    int status = 0;                       ///< answered instead of the real thing; 0: the real thing
    std::vector<std::string> headers = {};  ///< added
    std::string body = {};
    std::optional<std::size_t> cut_answer_after = {};  ///< hangs up after so many bytes of the answer's body
    std::optional<std::size_t> cut_request_after = {};  ///< reads so many bytes of the request's body, keeps them, hangs up
    std::optional<std::string> replace_body = {};      ///< the real answer with another body
    std::optional<int> replace_status = {};
    std::optional<std::string> replace_content_range = {};
    bool cut_after_work = false;          ///< does the work, then hangs up without an answer
    bool hold = false;                    ///< answers only after release(), or when the client has gone
  };
  void script(const std::string& method, const std::string& target_part, Fault fault, int times = 1);
  void release();

  // What it was asked.
  struct Request {
    std::string method;
    std::string target;
    std::map<std::string, std::string> headers;  ///< lower-case names
    std::string body;
    std::string header(const std::string& name) const;
  };
  std::vector<Request> requests() const;
  /// Those of `method` (any if empty) whose target contains `target_part`.
  std::vector<Request> requests(const std::string& method, const std::string& target_part) const;
  std::size_t count(const std::string& method, const std::string& target_part) const;
  std::size_t connections() const { return connections_count_; }
  /// Blocks until `count` such requests have arrived (a held one counts). False after 20 s.
  bool wait_for(const std::string& method, const std::string& target_part, std::size_t count) const;

 private:
  struct Answer {
    int status = 200;
    std::vector<std::string> headers = {};
    std::string body = {};
    bool head_only = false;
    std::optional<std::size_t> head_length = {};
  };
  struct StoredManifest {
    std::string media_type, bytes;
  };
  struct Script {
    std::string method, target_part;
    Fault fault;
    int left;
  };
  struct Target {
    std::string path;
    std::multimap<std::string, std::string> query;
  };
  enum class Auth { None, Basic, Token };

  void accept_loop();
  void serve(int fd);
  bool serve_one(int fd, std::string& buffer);
  std::optional<Fault> take_fault(const Request& request);
  void wait_while_held(int fd);
  bool send_answer(int fd, const Answer& answer, const std::optional<Fault>& fault);

  Answer handle(const Request& request);
  std::optional<Answer> check_auth(const Request& request, const Target& target);
  Answer token(const Request& request, const Target& target);
  Answer blobs(const Request& request, const std::string& repository, const std::string& digest);
  Answer start_upload(const Request& request, const Target& target, const std::string& repository);
  Answer upload(const Request& request, const Target& target, const std::string& repository, const std::string& id);
  Answer manifests(const Request& request, const std::string& repository, const std::string& reference);
  std::string location(const std::string& path) const;
  void keep_partial(const Request& request, const std::string& bytes);
  static Target parse_target(const std::string& target);
  static Answer error(int status, const std::string& code, const std::string& message);
  static bool matches(const Request& request, const std::string& method, const std::string& part);

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> connections_count_ = 0;

  mutable std::mutex mutex_;  ///< guards all below
  mutable std::condition_variable changed_;
  bool released_ = false;
  std::map<std::string, std::map<std::string, std::string>> blobs_;  ///< repository -> digest -> bytes
  std::map<std::string, std::map<std::string, StoredManifest>> manifests_;
  std::map<std::string, std::string> uploads_;
  int next_upload_ = 1;
  std::deque<Script> scripts_;
  std::vector<Request> requests_;
  Auth auth_ = Auth::None;
  std::string user_, password_, identity_token_, realm_;
  bool anonymous_pull_ = false;
  int token_lifetime_ = 300;
  std::map<std::string, std::set<std::string>> tokens_;  ///< token -> scopes
  int next_token_ = 1;
  bool ranges_ = true, mounts_ = true, resume_ = true, relative_ = false, omit_digest_ = false;
  std::set<int> open_fds_;

  std::thread acceptor_;
  std::vector<std::thread> workers_;  ///< acceptor_'s alone until it has ended
};

}  // namespace slipway::testing_support
