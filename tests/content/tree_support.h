#pragma once
// Trees to pack, copy and digest, and a text that says all there is about one, so that two can be compared.
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content/layer_tar.h"
#include "content/layers.h"
#include "content/store.h"

namespace slipway::testing_support {

/// Writes below one directory. Parents are made.
class TreeMaker {
 public:
  explicit TreeMaker(std::filesystem::path root) : root_(std::move(root)) {}
  std::filesystem::path at(const std::string& path) const { return root_ / path; }
  TreeMaker& directory(const std::string& path, unsigned mode = 0755);
  TreeMaker& file(const std::string& path, std::string_view text = "text", unsigned mode = 0644);
  TreeMaker& link(const std::string& path, const std::string& target);
  TreeMaker& hard_link(const std::string& path, const std::string& existing);
  TreeMaker& fifo(const std::string& path, unsigned mode = 0644);
  TreeMaker& socket(const std::string& path);
  TreeMaker& whiteout(const std::string& path);
  TreeMaker& opaque(const std::string& directory);
  TreeMaker& xattr(const std::string& path, const std::string& name, std::string_view value);
  TreeMaker& owner(const std::string& path, unsigned uid, unsigned gid);
  TreeMaker& mtime(const std::string& path, std::int64_t seconds, long nanoseconds = 0);
  /// All files and directories below get this time, deepest first.
  TreeMaker& all_mtimes(std::int64_t seconds);

 private:
  std::filesystem::path root_;
};

/// A line for each name below `root`, sorted: type, mode, owner, mtime in seconds, size or link target,
/// attributes, a digest of the bytes, and which names are hard links of one another.
std::vector<std::string> describe_tree(const std::filesystem::path& root);
/// Only the names, directories with a "/".
std::vector<std::string> names_in(const std::filesystem::path& root);

/// A committed snapshot whose own changes `make` wrote.
SnapshotId snapshot_with(Store& store, const std::optional<SnapshotId>& parent,
                         const std::function<void(TreeMaker&)>& make);

/// A tar with just these entries; regular files hold `bytes_of(name)` = their own name.
std::string tar_of(const std::vector<LayerEntry>& entries);
LayerEntry file_entry(const std::string& name);
LayerEntry directory_entry(const std::string& name, unsigned mode = 0755);
LayerEntry link_entry(const std::string& name, const std::string& target);
LayerEntry hard_link_entry(const std::string& name, const std::string& target);

/// Puts bytes into the store and describes them as a layer that unpacks to `tar`.
Layer layer_with(Store& store, const std::string& blob, const std::string& tar);

/// What a test's set-up needs and not every user may do; tried out, not guessed.
bool may_chown();
bool may_set_xattr(const char* name);

}  // namespace slipway::testing_support

#define SLIPWAY_NEEDS_CHOWN() \
  if (!slipway::testing_support::may_chown()) GTEST_SKIP() << "needs the right to give files away"
#define SLIPWAY_NEEDS_XATTR(name) \
  if (!slipway::testing_support::may_set_xattr(name)) GTEST_SKIP() << "needs the right to set " << name
