#pragma once
// What one build leaves behind for `slipway history` and `slipway explain`: facts about it and, per step,
// what its cache key was made of. Secrets are hidden before anything gets here (recorder.h).
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace slipway {

/// One named part of what a key covers: ("ENV CC", "gcc"), ("command", "make"). Two hidden values may or may
/// not be equal.
struct KeyPart {
  std::string name, value;
  bool hidden = false;
  auto operator<=>(const KeyPart&) const = default;
};

/// What a step read of a context on this machine.
struct ContextRead {
  std::string context;   ///< the local source's name: "context"
  std::string source;    ///< what was selected in it, as the instruction has it
  std::string digest;    ///< of all that was selected
  std::string manifest;  ///< its list of files in the history (history_directory.h); empty: it was not kept
  bool operator==(const ContextRead&) const = default;
};

struct StepRecord {
  std::string id;                      ///< of its vertex
  std::string name;                    ///< "[linux/arm64 build 2/3] RUN make"
  std::string kind;                    ///< "run", "files", "merge", "diff", "source", "context"
  std::vector<std::string> platforms;  ///< that need it
  std::string end;                     ///< "cached", "done", "failed", "skipped", "cancelled"; empty: unknown
  std::string hit;                     ///< of one that is cached, if not by its key: "hit by content"
  double seconds = 0;
  std::string
      mode;  ///< "native", "emulated by qemu-aarch64 7.2"; empty if it executes nothing or did not run
  std::string error;  ///< of one that failed
  std::string log;    ///< number that its file of the build's logs begins with (the rest of the name may tell
                      ///< too much); empty: it wrote nothing
  std::string key;
  bool no_cache = false;    ///< it was to run whatever is known
  std::string passed_over;  ///< why a result that it had was not taken, a sentence; empty: it had none
  std::vector<KeyPart> parts;
  std::vector<std::size_t> inputs;  ///< indices of steps, earlier in the record; contexts are in `reads`
  std::vector<ContextRead> reads;
  bool operator==(const StepRecord&) const = default;

  bool has_result() const { return end == "cached" || end == "done"; }
};

/// How a step hit that was not known by its key.
inline constexpr const char* kHitByContent = "hit by content";

/// How a build that died without a word shows itself.
inline constexpr const char* kRunning = "running";
inline constexpr const char* kInterrupted = "interrupted";

struct BuildRecord {
  std::string id;
  std::int64_t started_ms = 0;  ///< since the epoch
  double seconds = 0;
  std::vector<std::string> platforms, tags;
  std::string context, dockerfile, target;
  std::string outcome = kRunning;  ///< "succeeded", "failed", "cancelled", "running", "interrupted"
  std::string error;               ///< one line, of one that failed
  std::string image;               ///< digest of what came of it
  std::string logs;                ///< name of the directory in ROOT/logs
  std::vector<StepRecord> steps;   ///< inputs first
  bool operator==(const BuildRecord&) const = default;
};

/// The stored form: equal parts of several steps are written once.
std::string to_json(const BuildRecord& record);
/// Throws InvalidInput for what is no record, or one of a newer slipway.
BuildRecord parse_build_record(const std::string& text);

/// The files of a selection: path in the context -> mode and content, as in manifest_line().
using FileList = std::map<std::string, std::string>;

/// "100644 DIGITS PATH\n": of a SHA-256 digest (16 of them if an older slipway wrote it), or "-"; line feeds
/// and backslashes of the path are escaped.
std::string manifest_line(const std::string& path, unsigned mode, const std::string& content);
/// Lines that are none are left out.
FileList parse_file_list(const std::string& text);

}  // namespace slipway
