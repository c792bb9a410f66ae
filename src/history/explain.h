#pragma once
// Why a step ran: what its key was made of, compared with the most similar build on record. Pure: records in,
// causes out.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "history/record.h"

namespace slipway {

struct Cause {
  enum class Kind {
    NoCache,      ///< --no-cache; subject: the step below it that this was said of; empty: it itself
    NotTaken,     ///< it has a result that this build does not take; subject: why, a sentence
    ResultGone,   ///< an earlier build had this result; it is no longer in the store
    NotFinished,  ///< an earlier build had the same step, but it failed or never ended; subject: how
    NeverBuilt,   ///< no build on record is like it
    NewStep,      ///< the build that is most like it has no such step
    FileAdded,    ///< subject: the path in the context; after: its digest
    FileRemoved,
    FileChanged,
    Field,        ///< subject: what ("ARG V", "command", "base image digest"); before, after
    HiddenField,  ///< the same for a value that is not recorded; it may also be unchanged
    Order,        ///< it follows (or reads) another step than before; before, after: names, or none
    Parent,   ///< subject: name of the first step that changed; if it is a hit, what differs in it follows
    Unknown,  ///< the keys differ, and the records do not tell why
  };
  Kind kind = Kind::Unknown;
  std::string subject, before, after;
  bool operator==(const Cause&) const = default;
};

/// The word of a kind in JSON: "file-changed".
std::string name_of(Cause::Kind kind);

struct StepExplanation {
  std::size_t step = 0;  ///< index in the record
  bool hit = false;
  std::vector<Cause> causes;  ///< of a miss, at least one
  std::string compared_with;  ///< id of a build; empty if there is none
};

/// Gives a manifest of the history by its name; nothing if it is not there any more.
using ManifestReader = std::function<std::optional<FileList>(const std::string& name)>;

/// What differs in the steps themselves, whatever their inputs.
std::vector<Cause> own_differences(const StepRecord& before, const StepRecord& after,
                                   const ManifestReader& manifests);

/// One for each step of `build` but contexts, in order. `earlier` is what was recorded before it, newest
/// first.
std::vector<StepExplanation> explain(const BuildRecord& build, const std::vector<BuildRecord>& earlier,
                                     const ManifestReader& manifests);

}  // namespace slipway
