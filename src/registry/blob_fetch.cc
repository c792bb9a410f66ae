// Downloads of blobs. A cut transfer goes on where it stopped if the server honours Range; never does more reach the
// sink than the descriptor says.
#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "registry/answers.h"
#include "registry/blobs.h"

namespace slipway {
namespace {

// Progress worth a fresh count of tries. A server that drips a byte per connection runs out of them.
constexpr std::uint64_t kWorthwhile = std::uint64_t{1} << 20;

class BlobFetch {
 public:
  BlobFetch(RegistrySession& session, const ImageRef& ref, const Descriptor& blob, const BlobSink& sink,
            const TransferProgress& progress)
      : session_(session),
        ref_(ref),
        blob_(blob),
        sink_(sink),
        progress_(progress),
        what_(concat("pulling blob ", blob.digest.str(), " of ", ref.name())) {}

  void run(const std::stop_token& stop) {
    RetryBudget retries = session_.budget(what_);
    while (true) {
      const std::uint64_t before = furthest_;
      try {
        transfer(stop);
        return;
      } catch (const TransportError& error) {
        if (received_ == blob_.size && blob_.size > 0) return;  // cut after the last byte
        if (furthest_ >= before + kWorthwhile) retries.renew();
        retries.wait_or_rethrow(error, stop);
      }
    }
  }

 private:
  void transfer(const std::stop_token& stop) {
    ApiCall call = session_.call(ref_, Access::Pull, HttpMethod::Get, concat("blobs/", blob_.digest.str()), what_);
    const bool resuming = received_ > 0;
    if (resuming) call.request.headers.push_back(concat("Range: bytes=", received_, "-"));
    bool begun = false;
    call.request.on_body = [&](const HttpResponse& head, std::string_view bytes) {
      if (!begun) begin(head);
      begun = true;
      take(bytes);
    };
    const HttpResponse response = session_.try_once(call, stop);
    if (response.status == 416 && resuming) {
      restart();
      throw TransportError(concat(what_, ": the registry cannot resume at this place"), /*retryable=*/true, 416);
    }
    if (!response.ok()) refuse(call, response);
    if (!begun) begin(response);
    if (received_ != blob_.size)
      throw IntegrityError(concat(what_, ": the registry sent ", received_, " bytes, its descriptor says ",
                                  blob_.size));
  }

  // Before the first byte of an answer: does it continue what we have, and is it of the right length?
  void begin(const HttpResponse& head) {
    if (received_ > 0 && !continues(head)) restart();
    const auto length = parse_unsigned(head.header("content-length").value_or(""));
    if (length && *length != blob_.size - received_)
      throw IntegrityError(concat(what_, ": the registry has ", received_ + *length,
                                  " bytes, its descriptor says ", blob_.size));
  }

  // "Content-Range: bytes 100-199/200" with 206. All else means: from the start.
  bool continues(const HttpResponse& head) {
    if (head.status != 206) return false;
    const std::string range = head.header("content-range").value_or("");
    if (!range.starts_with("bytes ")) give_up_resuming(range);
    const auto first = parse_unsigned(std::string_view(range).substr(6, range.find('-') - 6));
    const std::size_t slash = range.find('/');
    const std::string total = slash == std::string::npos ? "" : range.substr(slash + 1);
    const bool right_total = total == "*" || parse_unsigned(total) == blob_.size;
    if (first != received_ || !right_total) give_up_resuming(range);
    return true;
  }

  // A part that is not the one asked for can neither be appended nor taken for the whole.
  [[noreturn]] void give_up_resuming(const std::string& range) {
    const std::uint64_t wanted = received_;
    restart();
    throw TransportError(concat(what_, ": asked for the bytes from ", wanted, " on, the registry sent \"",
                                printable(range, 80), "\""),
                         /*retryable=*/true);
  }

  void take(std::string_view bytes) {
    if (bytes.size() > blob_.size - received_)
      throw IntegrityError(concat(what_, ": the registry sends more than the ", blob_.size,
                                  " bytes of its descriptor"));
    sink_.write(bytes);
    received_ += bytes.size();
    furthest_ = std::max(furthest_, received_);
    if (progress_) progress_(received_, blob_.size);
  }

  void restart() {
    session_.logger().log(LogLevel::Info, concat(what_, ": the registry cannot resume; from the start again"));
    received_ = 0;
    if (sink_.restart) sink_.restart();
    if (progress_) progress_(0, blob_.size);
  }

  [[noreturn]] void refuse(const ApiCall& call, const HttpResponse& response) const {
    if (session_.answered_by_registry(call, response)) throw_refusal(response, ref_.domain(), what_);
    // The registry let us in, the storage behind it did not: logging in would not help.
    throw TransportError(concat(what_, ": the storage that the registry redirects to answered ", response.status),
                         may_work_later(response.status), response.status);
  }

  RegistrySession& session_;
  const ImageRef& ref_;
  const Descriptor& blob_;
  const BlobSink& sink_;
  const TransferProgress& progress_;
  const std::string what_;
  std::uint64_t received_ = 0;
  std::uint64_t furthest_ = 0;  ///< over all tries
};

}  // namespace

void fetch_blob(RegistrySession& session, const ImageRef& ref, const Descriptor& blob, const BlobSink& sink,
                const TransferProgress& progress, const std::stop_token& stop) {
  const HostLimits::Permit permit = session.limits().begin_transfer(ref.domain(), stop);
  if (progress) progress(0, blob.size);
  BlobFetch(session, ref, blob, sink, progress).run(stop);
}

}  // namespace slipway
