#include "slipway/tags.h"

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

std::vector<ImageRef> parse_tags(const std::vector<std::string>& texts) {
  std::vector<ImageRef> tags;
  for (const std::string& text : texts) {
    try {
      tags.push_back(ImageRef::parse(text));
    } catch (const InvalidInput& e) {
      throw UsageError(concat("--tag: ", e.what()));
    }
    if (tags.back().digest())
      throw UsageError(concat("--tag ", text, ": a name with a digest cannot be given to an image"));
  }
  return tags;
}

}  // namespace slipway
