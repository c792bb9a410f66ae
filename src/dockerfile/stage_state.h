#pragma once
// What a stage becomes while it is lowered.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dockerfile/env_list.h"
#include "dockerfile/name_index.h"
#include "graph/graph.h"
#include "manifest/oci.h"

namespace slipway::dockerfile {

/// An ARG that a stage declared, with its value if it has one.
struct StageArg {
  std::string name;
  std::optional<std::string> value;
  bool in_env = true;  ///< steps see it; false once an ENV has the name, and for what is for the builder only
};

/// The ARGs of a stage in order, each name once.
class StageArgs {
 public:
  void set(std::string name, std::optional<std::string> value, bool in_env) {
    const auto known = by_name_.find(entries_, name);
    if (!known) {
      bytes_ += name.size() + (value ? value->size() : 0) + 2;
      entries_.push_back({std::move(name), std::move(value), in_env});
      by_name_.added(entries_);
      return;
    }
    // Declared again without a value: what it had stays.
    if (!value) return;
    StageArg& entry = entries_[*known];
    bytes_ += value->size() - (entry.value ? entry.value->size() : 0);
    entry.value = std::move(value);
    entry.in_env = in_env;
  }
  /// The value that steps see.
  std::optional<std::string_view> find(std::string_view name) const {
    const auto known = by_name_.find(entries_, name);
    if (!known) return std::nullopt;
    const StageArg& entry = entries_[*known];
    if (!entry.value || !entry.in_env) return std::nullopt;
    return *entry.value;
  }
  /// An ENV of that name was set: it holds from here on, unless ARG gives another value later.
  void hide(std::string_view name) {
    const auto known = by_name_.find(entries_, name);
    if (known) entries_[*known].in_env = false;
  }
  void hide_all_in(const EnvList& env) {
    for (StageArg& entry : entries_)
      if (env.find(entry.name)) entry.in_env = false;
  }
  /// Also one without a value.
  bool declares(std::string_view name) const { return by_name_.find(entries_, name).has_value(); }
  const std::vector<StageArg>& entries() const { return entries_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<StageArg> entries_;
  NameIndex by_name_;
  std::size_t bytes_ = 0;
};

/// A stage that is built on it starts with what it has, its ARGs included.
struct StageState {
  Platform platform;
  std::optional<Digest> result;  ///< nothing for an empty tree
  ImageConfig config;            ///< config.env stays empty until the end: see env
  std::size_t base_layers = 0, base_history = 0;
  EnvList env;
  StageArgs args;
  bool env_known = true;     ///< false: the base image could not be read
  bool workdir_set = false;  ///< by a WORKDIR of this Dockerfile

  /// What steps and later instructions see under a name: the ARG or the ENV, whichever came last.
  std::optional<std::string_view> find(std::string_view name) const {
    if (const auto value = args.find(name)) return value;
    return env.find(name);
  }
  /// About how many bytes it keeps, and so how much work a copy of it is.
  std::size_t weight() const;
};

}  // namespace slipway::dockerfile
