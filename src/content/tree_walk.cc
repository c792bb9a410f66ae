#include "content/tree_walk.h"

#include <fcntl.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/node_copy.h"
#include "content/tree_paths.h"

namespace slipway {

UniqueFd TreeEntry::open() const {
  // O_NONBLOCK: should a fifo have taken the file's place, nobody waits for its writer.
  const int flags = O_RDONLY | O_NONBLOCK | (is_directory() ? O_DIRECTORY : 0);
  return of_store ? open_own(directory, name, flags, shown) : open_at(directory, name, flags, shown);
}

namespace {

std::string below(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : concat(directory, "/", name);
}

/// What stat() said.
struct Look {
  struct stat status {};
  int error = 0;
};

std::vector<Look> look_at(int directory, std::span<const std::string> names) {
  constexpr std::size_t kGrain = 16;
  std::vector<Look> looks(names.size());
  const auto look = [&](std::size_t i) {
    if (::fstatat(directory, names[i].c_str(), &looks[i].status, AT_SYMLINK_NOFOLLOW) != 0)
      looks[i].error = errno;
  };
  if (names.size() <= kGrain) {
    for (std::size_t i = 0; i < names.size(); ++i) look(i);
    return looks;
  }
  // Isolated: a thread that waits for the others here must not begin to digest a large file.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, names.size(), kGrain),
                      [&](const tbb::blocked_range<std::size_t>& range) {
                        for (std::size_t i = range.begin(); i != range.end(); ++i) look(i);
                      });
  });
  return looks;
}

class Walk {
 public:
  Walk(const Selection& selection, const SelectedSource& source, const TreeVisitor& visitor,
       const std::stop_token& stop)
      : selection_(selection), source_(source), visitor_(visitor), stop_(stop) {}

  void run() {
    const RootedDir::Parent parent = selection_.tree->open_parent(source_.real);
    TreeEntry top{.relative = "",
                  .shown = "/" + source_.real,
                  .directory = parent.directory.get(),
                  .name = parent.name,
                  .of_store = selection_.of_store};
    if (::fstatat(top.directory, top.name.c_str(), &top.status, AT_SYMLINK_NOFOLLOW) != 0)
      throw SystemError(errno, "stat", top.shown);
    visit(top, nullptr);
  }

 private:
  /// A directory on the way down. One that is excluded is announced only once something in it is not.
  struct Frame {
    const TreeEntry& entry;
    Frame* up = nullptr;
    bool announced = false;
  };

  std::string path_in_tree(const TreeEntry& entry) const {
    return entry.relative.empty() ? source_.real : below(source_.real, entry.relative);
  }

  enum class Rule { Take, OnlyBelow, Skip };
  /// An ignored directory is as good as not there, but for what is included again.
  Rule ignore_rule(const TreeEntry& entry) const {
    if (!selection_.ignored) return Rule::Take;
    const std::string path = path_in_tree(entry);
    if (!selection_.ignored->excludes(path)) return Rule::Take;
    return entry.is_directory() && selection_.ignored->may_include_below(path) ? Rule::OnlyBelow : Rule::Skip;
  }
  Rule pattern_rule(const TreeEntry& entry) const {
    if (entry.relative.empty()) return Rule::Take;
    const PatternMatcher *included = selection_.included, *excluded = selection_.excluded;
    if (excluded && excluded->excludes(entry.relative))
      return entry.is_directory() && excluded->may_include_below(entry.relative) ? Rule::OnlyBelow
                                                                                 : Rule::Skip;
    if (included && !included->excludes(entry.relative))
      return entry.is_directory() && included->may_exclude_below(entry.relative) ? Rule::OnlyBelow
                                                                                 : Rule::Skip;
    return Rule::Take;
  }

  void visit(TreeEntry& entry, Frame* up) {
    if (stop_.stop_requested()) throw Cancelled{};
    if (S_ISSOCK(entry.status.st_mode)) return;
    const Rule ignore = ignore_rule(entry);
    if (ignore == Rule::Skip) return;
    const Rule pattern = pattern_rule(entry);
    if (pattern == Rule::Skip) return;
    entry.only_on_the_way = pattern == Rule::OnlyBelow;
    Frame frame{.entry = entry, .up = up};
    if (ignore == Rule::Take && pattern == Rule::Take) announce(frame);
    if (ended_ || !entry.is_directory()) return;
    descend(frame);
    if (frame.announced && visitor_.leave && !ended_) visitor_.leave(entry);
  }

  void descend(Frame& frame) {
    const UniqueFd directory = frame.entry.open();
    const std::vector<std::string> names = sorted_names(directory.get(), frame.entry.shown);
    const std::size_t ahead = std::max<std::size_t>(visitor_.look_ahead, 1);
    for (std::size_t next = 0; next < names.size() && !ended_; next += ahead) {
      const std::span<const std::string> some(names.data() + next, std::min(ahead, names.size() - next));
      visit_all(frame, directory.get(), some, look_at(directory.get(), some));
    }
  }

  void visit_all(Frame& frame, int directory, std::span<const std::string> names,
                 const std::vector<Look>& looks) {
    for (std::size_t i = 0; i < names.size() && !ended_; ++i) {
      TreeEntry child{.relative = below(frame.entry.relative, names[i]),
                      .shown = concat(frame.entry.shown == "/" ? "" : frame.entry.shown, "/", names[i]),
                      .status = looks[i].status,
                      .directory = directory,
                      .name = names[i],
                      .of_store = selection_.of_store};
      if (looks[i].error == ENOENT) continue;  // gone since it was listed; as if we had come a moment later
      if (looks[i].error != 0) throw SystemError(looks[i].error, "stat", child.shown);
      visit(child, &frame);
    }
  }

  void announce(Frame& frame) {
    if (frame.announced || ended_) return;
    if (frame.up) announce(*frame.up);
    frame.announced = true;
    if (!ended_ && !visitor_.enter(frame.entry)) ended_ = true;
  }

  const Selection& selection_;
  const SelectedSource& source_;
  const TreeVisitor& visitor_;
  const std::stop_token& stop_;
  bool ended_ = false;
};

}  // namespace

void walk_source(const Selection& selection, const SelectedSource& source, const TreeVisitor& visitor,
                 const std::stop_token& stop) {
  Walk(selection, source, visitor, stop).run();
}

}  // namespace slipway
