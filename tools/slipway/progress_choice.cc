#include "slipway/progress_choice.h"

#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

ProgressMode choose_progress(const std::string& flag) {
  std::string mode = flag;
  if (const char* inherited = std::getenv("BUILDKIT_PROGRESS"); mode.empty() && inherited) mode = inherited;
  if (mode.empty() || mode == "auto") {
    const char* terminal = std::getenv("TERM");
    const bool live = ::isatty(STDERR_FILENO) && terminal && std::string_view(terminal) != "dumb";
    return live ? ProgressMode::Tty : ProgressMode::Plain;
  }
  if (mode == "plain") return ProgressMode::Plain;
  if (mode == "tty") {
    if (!::isatty(STDERR_FILENO)) throw UsageError("--progress=tty: stderr is no terminal");
    return ProgressMode::Tty;
  }
  if (mode == "rawjson") return ProgressMode::RawJson;
  if (mode == "quiet") return ProgressMode::Quiet;
  if (mode == "none") return ProgressMode::None;
  throw UsageError(concat("--progress=", mode, ": expected auto, plain, tty, rawjson, quiet or none"));
}

}  // namespace slipway
