#include "slipway/summary.h"

#include <unistd.h>

#include "base/files.h"
#include "base/strings.h"
#include "slipway/table.h"

namespace slipway {

std::string summary_text(const BuildResult& result) {
  Table table({"PLATFORM", "DIGEST", "SIZE", "MODE", "TIME"});
  for (const PlatformSummary& platform : result.platforms)
    table.add({platform.platform.str(),
               platform.manifest ? concat("sha256:", platform.manifest->digest.short_hex()) : "-",
               platform.manifest ? human_bytes(platform.size) : "-", platform.mode,
               human_seconds(platform.seconds)});
  std::string text = "\n" + table.text();
  std::vector<std::string> names;
  for (const ImageRef& name : result.names) names.push_back(name.familiar());
  if (!result.image) return text + "\nno image: the results are in the store's cache only\n";
  text += concat("\n", result.platforms.size() > 1 ? "index " : "image ", result.image->digest.str());
  if (!names.empty()) text += concat("  ", join(names, ", "));
  return text + "\n";
}

void print_summary(const BuildResult& result) { write_all(STDERR_FILENO, summary_text(result), "stderr"); }

}  // namespace slipway
