#pragma once
// Which stage, image or context a name in FROM, COPY --from, RUN --mount and --target means.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/commands.h"
#include "dockerfile/named_contexts.h"

namespace slipway::dockerfile {

/// What a stage stands on, or what a COPY or a mount takes from.
struct StageSource {
  enum class Kind {
    Context,  ///< the build context
    Scratch,
    Stage,
    Image,
    Local,  ///< a directory that the caller named
  };
  Kind kind = Kind::Context;
  int stage = 0;               ///< if Stage
  std::string image;           ///< if Image, as written
  NamedContexts::Found named;  ///< what the caller put in this name's place, if that is so
};

class StageNames {
 public:
  explicit StageNames(const Program& program);

  /// The stage of that name (any case) nearest before `index`.
  std::optional<int> find_before(std::string_view name, int index) const;
  /// The first stage of that name from `index` on.
  std::optional<int> find_from(std::string_view name, int index) const;
  const std::vector<std::string>& names() const { return names_; }
  int count() const { return count_; }

 private:
  std::map<std::string, std::vector<int>, std::less<>> by_name_;
  std::vector<std::string> names_;  ///< each once, in the file's order
  int count_ = 0;
};

/// Index of the stage to build: a name, an index, or the last if empty. Throws InvalidInput naming the
/// stages.
int find_target(const StageNames& names, std::string_view target);

/// Who refers to a stage or image, for messages.
struct Reference {
  const Dockerfile& file;      ///< that `flag` is of
  const Stage& stage;          ///< that refers
  const Flag* flag = nullptr;  ///< --from or --mount; null: FROM itself
  std::string_view what;       ///< "COPY --from"
};

/// The caller's contexts come first, then stages before this one by name and by number, then images. Throws
/// InvalidInput for the stage itself and for later ones.
StageSource find_source(const StageNames& names, const NamedContexts& contexts, const Reference& reference,
                        const std::string& name, const Platform& platform);

/// What a context of the caller's stands for. Throws InvalidInput if it names a stage that there is not.
StageSource source_of_context(const StageNames& names, const NamedContexts::Found& found);

}  // namespace slipway::dockerfile
