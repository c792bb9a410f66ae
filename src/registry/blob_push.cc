// Uploads of blobs (distribution-spec, "Pushing blobs"): POST opens an upload, one PUT sends it whole. After a cut the
// registry is asked how much it has; the rest goes by PATCH if it says so, else a new upload begins.
#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "registry/answers.h"
#include "registry/blobs.h"
#include "registry/url.h"

namespace slipway {
namespace {

constexpr std::uint64_t kWorthwhile = std::uint64_t{1} << 20;
// A registry may move gigabytes to its storage before it answers the last request.
constexpr int kCommitStallSeconds = 300;

class BlobPush {
 public:
  BlobPush(RegistrySession& session, const ImageRef& ref, const Descriptor& blob, const std::function<UniqueFd()>& open,
           const TransferProgress& progress)
      : session_(session),
        ref_(ref),
        blob_(blob),
        open_(open),
        progress_(progress),
        what_(concat("pushing blob ", blob.digest.str(), " to ", ref.name())) {}

  PushEnd run(const std::vector<std::string>& mount_from, const std::stop_token& stop) {
    if (exists(stop)) return PushEnd::AlreadyThere;
    for (const std::string& from : mount_from)
      if (from != ref_.repository() && mount(from, stop)) return PushEnd::Mounted;
    const HostLimits::Permit permit = session_.limits().begin_transfer(ref_.domain(), stop);
    upload(stop);
    return PushEnd::Uploaded;
  }

 private:
  bool exists(const std::stop_token& stop) {
    const ApiCall call =
        session_.call(ref_, Access::Push, HttpMethod::Head, concat("blobs/", blob_.digest.str()), what_);
    const HttpResponse response = session_.send(call, stop);
    if (response.ok()) return true;
    // What the storage behind a redirect thinks of a HEAD is no reason to fail: uploading again is safe.
    if (response.status == 404 || !session_.answered_by_registry(call, response)) return false;
    throw_refusal(response, ref_.domain(), what_);
  }

  // A registry that cannot or will not mount either opens an upload instead (kept) or refuses (no harm done).
  bool mount(const std::string& from, const std::stop_token& stop) {
    ApiCall call = session_.call(ref_, Access::Push, HttpMethod::Post, "blobs/uploads/", what_);
    call.request.url = with_query(with_query(call.request.url, "mount", blob_.digest.str()), "from", from);
    call.scopes.push_back(concat("repository:", from, ":pull"));
    std::ranges::sort(call.scopes);
    HttpResponse response;
    try {
      response = session_.send(call, stop);
    } catch (const Denied&) {
      return false;  // no token for the other repository
    } catch (const TransportError& error) {
      if (error.status() < 500) throw;
      return false;  // broken for mounts; the upload will tell whether for all else, too
    }
    if (response.status == 201) return true;
    if (response.status == 202) {
      abandon(stop);
      location_ = location_of(response);
    }
    return false;
  }

  void upload(const std::stop_token& stop) {
    RetryBudget retries = session_.budget(what_);
    while (true) {
      const std::uint64_t before = best_offset_;
      try {
        if (location_.empty()) begin(stop);
        send(stop);
        return;
      } catch (const TransportError& error) {
        if (!error.retryable()) abandon(stop);
        retries.wait_or_rethrow(error, stop);
      }
      if (resync(stop)) return;
      if (best_offset_ >= before + kWorthwhile) retries.renew();
    }
  }

  void begin(const std::stop_token& stop) {
    const ApiCall call = session_.call(ref_, Access::Push, HttpMethod::Post, "blobs/uploads/", what_);
    const HttpResponse response = session_.try_once(call, stop);
    if (response.status != 202) throw_refusal(response, ref_.domain(), what_);
    location_ = location_of(response);
    offset_ = 0;
  }

  void send(const std::stop_token& stop) {
    const UniqueFd file = open_checked();
    if (offset_ > 0 && offset_ < blob_.size) patch(file.get(), stop);
    put(file.get(), stop);
  }

  // The rest of an upload that was cut.
  void patch(int fd, const std::stop_token& stop) {
    ApiCall call = session_.call_url(ref_, Access::Push, HttpMethod::Patch, location_, what_);
    call.request.headers.push_back(concat("Content-Range: ", offset_, "-", blob_.size - 1));
    attach(call.request, fd);
    const HttpResponse response = session_.try_once(call, stop);
    if (response.status != 202 && response.status != 204) {
      // 416 and the like: this registry does not take the offset it named. A new upload will do.
      forget_upload();
      throw TransportError(concat(what_, ": the registry cannot resume (", response.status, ")"), /*retryable=*/true,
                           response.status);
    }
    location_ = location_of(response);
    offset_ = blob_.size;
  }

  void put(int fd, const std::stop_token& stop) {
    ApiCall call = session_.call_url(ref_, Access::Push, HttpMethod::Put,
                                     with_query(location_, "digest", blob_.digest.str()), what_);
    call.request.stall_seconds = kCommitStallSeconds;
    if (offset_ < blob_.size) {
      attach(call.request, fd);
    } else {
      call.request.headers.emplace_back("Content-Type: application/octet-stream");
    }
    const HttpResponse response = session_.try_once(call, stop);
    if (response.status == 201 || response.status == 204) {
      if (progress_) progress_(blob_.size, blob_.size);
      return;
    }
    if (has_error_code(response, "DIGEST_INVALID"))
      throw IntegrityError(concat(what_, ": the registry found another digest (", error_details(response), ")"));
    // An upload that the registry no longer knows (restarted, expired) is begun anew.
    if (response.status == 404 && has_error_code(response, "BLOB_UPLOAD_UNKNOWN")) {
      forget_upload();
      throw TransportError(concat(what_, ": ", error_details(response)), /*retryable=*/true, 404);
    }
    throw_refusal(response, ref_.domain(), what_);
  }

  void attach(HttpRequest& request, int fd) const {
    request.headers.emplace_back("Content-Type: application/octet-stream");
    request.file = FileBody{.fd = fd, .offset = offset_, .size = blob_.size - offset_, .on_sent = {}};
    if (progress_)
      request.file->on_sent = [this, start = offset_](std::uint64_t sent) { progress_(start + sent, blob_.size); };
  }

  // After a cut. True if the blob has arrived after all (the answer was what got lost). Otherwise finds out where to
  // go on, or that a new upload is needed.
  bool resync(const std::stop_token& stop) {
    if (location_.empty()) return false;
    if (exists(stop)) return true;
    const std::string location = location_;
    forget_upload();
    ApiCall call = session_.call_url(ref_, Access::Push, HttpMethod::Get, location, what_);
    call.request.max_answer = 64 * 1024;
    const HttpResponse response = session_.send(call, stop);
    if (response.status != 204 && response.status != 200 && response.status != 202) return false;
    const std::uint64_t have = received_by_registry(response);
    if (have > blob_.size) return false;
    location_ = response.header("location") ? location_of(response) : location;
    offset_ = have;
    best_offset_ = std::max(best_offset_, have);
    if (progress_) progress_(offset_, blob_.size);
    session_.logger().log(LogLevel::Info, concat(what_, ": going on after ", offset_, " bytes"));
    return false;
  }

  // "Range: 0-99" or "bytes=0-99": the last byte it has. "0-0" is what registries say for none at all.
  static std::uint64_t received_by_registry(const HttpResponse& response) {
    const std::string range = response.header("range").value_or("");
    const std::size_t dash = range.rfind('-');
    if (dash == std::string::npos) return 0;
    const auto last = parse_unsigned(std::string_view(range).substr(dash + 1));
    if (!last || *last == 0) return 0;
    return *last == UINT64_MAX ? *last : *last + 1;
  }

  std::string location_of(const HttpResponse& response) const {
    const auto location = response.header("location");
    if (!location)
      throw TransportError(concat(what_, ": the registry opened an upload without saying where"), /*retryable=*/false);
    return resolve_location(response.url, *location);
  }

  void forget_upload() {
    location_.clear();
    offset_ = 0;
  }

  // Best effort: registries collect abandoned uploads themselves.
  void abandon(const std::stop_token& stop) {
    if (location_.empty()) return;
    const ApiCall call = session_.call_url(ref_, Access::Push, HttpMethod::Delete, location_, what_);
    forget_upload();
    try {
      session_.try_once(call, stop);
    } catch (const Error& error) {
      session_.logger().log(LogLevel::Debug, concat(what_, ": an upload stays open: ", error.what()));
    }
  }

  UniqueFd open_checked() const {
    UniqueFd file = open_();
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) throw SystemError(file ? errno : EBADF, "open", what_);
    if (S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) != blob_.size)
      throw IntegrityError(concat(what_, ": the file has ", status.st_size, " bytes, its descriptor says ",
                                  blob_.size));
    return file;
  }

  RegistrySession& session_;
  const ImageRef& ref_;
  const Descriptor& blob_;
  const std::function<UniqueFd()>& open_;
  const TransferProgress& progress_;
  const std::string what_;
  std::string location_;          ///< of the upload that is open; empty if none is
  std::uint64_t offset_ = 0;      ///< bytes the registry has of it
  std::uint64_t best_offset_ = 0;
};

}  // namespace

PushEnd push_blob(RegistrySession& session, const ImageRef& ref, const Descriptor& blob,
                  const std::function<UniqueFd()>& open, const std::vector<std::string>& mount_from,
                  const TransferProgress& progress, const std::stop_token& stop) {
  return BlobPush(session, ref, blob, open, progress).run(mount_from, stop);
}

}  // namespace slipway
