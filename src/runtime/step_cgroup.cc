#include "runtime/step_cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <ctime>
#include <set>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "runtime/cgroup_files.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

using Controller = CgroupPlaces::Controller;
using Place = CgroupPlaces::Place;

constexpr std::string_view kNames[] = {"memory", "cpu", "pids"};
constexpr std::uint64_t kCpuPeriod = 100'000;  // microseconds: the kernel's default

std::string_view name_of(Controller controller) { return kNames[static_cast<std::size_t>(controller)]; }

bool writable(const fs::path& path) { return ::access(path.c_str(), W_OK) == 0; }

/// In v2 a group either holds processes or gives controllers to groups in it; the root may do both. So ours
/// stand beside the one that we are in.
Place place_in_v2(const fs::path& own, const fs::path& mount_point, Controller controller) {
  Place place{.directory = {}, .v2 = true, .reason = {}};
  const std::string name(name_of(controller));
  const bool is_root = !fs::exists(own / "cgroup.type");
  if (!is_root && own == mount_point) {
    place.reason = "this container's own group holds processes, so it can have no groups below it";
    return place;
  }
  const fs::path base = is_root ? own : own.parent_path();
  if (!has_word(cgroup_text(base / "cgroup.controllers"), name, ' ')) {
    place.reason = concat("the ", name, " controller is not given to ", base.native());
  } else if (!writable(base) || !writable(base / "cgroup.procs") ||
             !writable(base / "cgroup.subtree_control")) {
    place.reason = concat(base.native(), " is not ours to write to");
  } else if (base != own && !trim(cgroup_text(base / "cgroup.procs")).empty()) {
    place.reason = concat(base.native(), " holds processes, so it can have no groups with limits");
  } else {
    place.directory = base;
  }
  return place;
}

Place place_in_v1(const fs::path& own) {
  Place place{.directory = {}, .v2 = false, .reason = {}};
  if (writable(own))
    place.directory = own;
  else
    place.reason = concat(own.native(), " is not ours to write to");
  return place;
}

/// Whoever removes abandoned groups may take one in the moment between its making and its lock.
UniqueFd make_locked_group(const fs::path& group) {
  while (true) {
    if (::mkdir(group.c_str(), 0755) != 0) throw SystemError(errno, "mkdir", group.native());
    UniqueFd lock{::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!lock && errno == ENOENT) continue;
    if (!lock) throw SystemError(errno, "open", group.native());
    while (::flock(lock.get(), LOCK_EX) != 0)
      if (errno != EINTR) throw SystemError(errno, "flock", group.native());
    if (fs::exists(group)) return lock;
  }
}

void write_setting(const fs::path& file, std::string_view text) {
  const UniqueFd fd = open_file(file, O_WRONLY | O_CLOEXEC);
  write_all(fd.get(), text, file.native());
}

void write_if_there(const fs::path& file, std::string_view text) {
  if (fs::exists(file)) write_setting(file, text);
}

void kill_all(const fs::path& group) {
  try {
    if (fs::exists(group / "cgroup.kill")) return write_setting(group / "cgroup.kill", "1");  // Linux 5.14
    std::istringstream pids(cgroup_text(group / "cgroup.procs"));
    for (pid_t pid = 0; pids >> pid;)
      if (pid > 1) ::kill(pid, SIGKILL);
  } catch (const SystemError&) {
    // then it stays; the next attempt may find it empty
  }
}

/// A group can be removed once its last process is reaped, which takes the kernel a moment.
void remove_group(const fs::path& group) {
  constexpr int kAttempts = 200;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (::rmdir(group.c_str()) == 0 || errno != EBUSY) return;
    kill_all(group);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

CgroupPlaces CgroupPlaces::find(std::string_view own_cgroups, std::string_view mounts) {
  const std::vector<CgroupMount> mounted = parse_cgroup_mounts(mounts);
  CgroupPlaces out;
  for (const Controller controller : {Controller::Memory, Controller::Cpu, Controller::Pids}) {
    Place& place = out.places_[static_cast<std::size_t>(controller)];
    place.reason = concat("no cgroup file system has the ", name_of(controller), " controller");
    for (const CgroupMount& mount : mounted) {
      if (!mount.may_have(name_of(controller))) continue;
      const auto own = own_cgroup(mount, own_cgroups, name_of(controller));
      if (!own) continue;
      place = mount.v2 ? place_in_v2(*own, mount.point, controller) : place_in_v1(*own);
      if (!place.directory.empty()) break;
    }
  }
  return out;
}

CgroupPlaces CgroupPlaces::find() {
  return find(cgroup_text("/proc/self/cgroup"), cgroup_text("/proc/self/mountinfo"));
}

std::string CgroupPlaces::refusal(const StepLimits& limits) const {
  std::vector<std::string> parts;
  const auto need = [&](bool wanted, Controller controller, std::string_view flag) {
    if (wanted && place(controller).directory.empty())
      parts.push_back(concat(flag, " (", place(controller).reason, ")"));
  };
  need(limits.memory > 0, Controller::Memory, "--memory");
  need(limits.cpus > 0, Controller::Cpu, "--cpus");
  need(limits.pids > 0 && limits.pids_asked, Controller::Pids, "--pids-limit");
  return parts.empty() ? std::string() : concat("not kept here: ", join(parts, ", "));
}

fs::path StepCgroup::make(const Place& place, const std::string& name) {
  const fs::path group = place.directory / name;
  if (std::ranges::find(groups_, group) != groups_.end()) return group;
  locks_.push_back(make_locked_group(group));
  groups_.push_back(group);
  return group;
}

StepCgroup::StepCgroup(const CgroupPlaces& places, const StepLimits& limits, const std::string& name) {
  const auto group_for = [&](Controller controller) {
    const Place& place = places.place(controller);
    if (place.v2 && !has_word(cgroup_text(place.directory / "cgroup.subtree_control"), name_of(controller), ' '))
      write_setting(place.directory / "cgroup.subtree_control", concat("+", name_of(controller)));
    return make(place, name);
  };
  const auto kept = [&](Controller controller) { return !places.place(controller).directory.empty(); };
  try {
    if (limits.memory > 0 && kept(Controller::Memory)) {
      memory_ = Place{.directory = group_for(Controller::Memory),
                      .v2 = places.place(Controller::Memory).v2,
                      .reason = {}};
      const std::string bytes = std::to_string(limits.memory);
      write_setting(memory_->directory / (memory_->v2 ? "memory.max" : "memory.limit_in_bytes"), bytes);
      // Swap would only put the end off.
      write_if_there(memory_->directory / (memory_->v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes"),
                     memory_->v2 ? "0" : bytes);
    }
    if (limits.cpus > 0 && kept(Controller::Cpu)) {
      const bool v2 = places.place(Controller::Cpu).v2;
      const fs::path group = group_for(Controller::Cpu);
      const auto quota =
          static_cast<std::uint64_t>(std::llround(limits.cpus * static_cast<double>(kCpuPeriod)));
      if (v2) {
        write_setting(group / "cpu.max", concat(quota, " ", kCpuPeriod));
      } else {
        write_setting(group / "cpu.cfs_period_us", std::to_string(kCpuPeriod));
        write_setting(group / "cpu.cfs_quota_us", std::to_string(quota));
      }
    }
    if (limits.pids > 0 && kept(Controller::Pids)) {
      pids_ = group_for(Controller::Pids);
      write_setting(*pids_ / "pids.max", std::to_string(limits.pids));
    }
  } catch (...) {
    for (const fs::path& group : groups_) remove_group(group);
    throw;
  }
}

StepCgroup::~StepCgroup() {
  for (const fs::path& group : groups_) remove_group(group);
}

void remove_abandoned_groups(const CgroupPlaces& places, std::chrono::seconds age) {
  const std::time_t latest = std::time(nullptr) - age.count();
  std::set<fs::path> directories;
  for (const Controller controller : {Controller::Memory, Controller::Cpu, Controller::Pids})
    directories.insert(places.place(controller).directory);
  for (const fs::path& directory : directories) {
    std::error_code unreadable;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory, unreadable)) {
      if (!entry.path().filename().native().starts_with("slipway-")) continue;
      const UniqueFd group{::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
      struct stat status {};  // the kernel may give a later time than the true one, never an earlier
      if (!group || ::fstat(group.get(), &status) != 0 || status.st_ctime > latest) continue;
      if (::flock(group.get(), LOCK_EX | LOCK_NB) == 0) ::rmdir(entry.path().c_str());
    }
  }
}

bool StepCgroup::wanted_more_processes() const { return pids_ && cgroup_counter(*pids_ / "pids.events", "max") > 0; }

bool StepCgroup::ran_out_of_memory() const {
  if (!memory_) return false;
  return cgroup_counter(memory_->directory / (memory_->v2 ? "memory.events" : "memory.oom_control"), "oom_kill") > 0;
}

}  // namespace slipway
