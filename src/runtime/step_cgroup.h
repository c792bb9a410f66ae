#pragma once
// The control group of one step: what bounds its memory, its processors and the number of its processes, and
// what tells whether memory was the reason for its end (cgroups(7), admin-guide/cgroup-v2.rst,
// admin-guide/cgroup-v1/memory.rst). Both versions of the interface, also mixed, as far as we may write to
// it.
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace slipway {

struct StepLimits {
  std::uint64_t memory = 0;  ///< bytes, swap included; 0: none
  double cpus = 0;           ///< processors' time, "1.5"; 0: none
  std::uint64_t pids = 0;    ///< processes and threads; 0: none
  bool pids_asked = false;   ///< somebody asked for that number, and is told if it cannot be kept
  std::uint64_t shm = 0;     ///< bytes of /dev/shm; 0: as usual. A mount keeps it, and not a group.
  /// Whether it takes a group.
  bool any() const { return memory > 0 || cpus > 0 || pids > 0; }
  bool operator==(const StepLimits&) const = default;
};

/// Where groups of ours can be made: for each of memory, cpu and pids a directory, or why there is none.
/// A value.
class CgroupPlaces {
 public:
  enum class Controller { Memory, Cpu, Pids };
  static constexpr std::size_t kControllers = 3;

  struct Place {
    std::filesystem::path directory;  ///< of the group in which ours are made; empty: there is none
    bool v2 = false;
    std::string reason;  ///< why there is none
  };

  /// From the texts of /proc/self/cgroup and /proc/self/mountinfo. Asks the file system what may be written;
  /// changes nothing.
  static CgroupPlaces find(std::string_view own_cgroups, std::string_view mounts);
  static CgroupPlaces find();  ///< of this process

  const Place& place(Controller controller) const { return places_[static_cast<std::size_t>(controller)]; }
  /// Which of the limits that were asked for cannot be kept here, as the end of a sentence for people; empty
  /// if all can.
  std::string refusal(const StepLimits& limits) const;

 private:
  std::array<Place, kControllers> places_;
};

/// Groups of one step, removed by the destructor with whatever still runs in them. Their directories are locked
/// (flock(2)) for as long as the object lives.
class StepCgroup {
 public:
  /// Makes the groups for those limits that can be kept; `name` is unique and begins with "slipway-". Throws
  /// SystemError.
  StepCgroup(const CgroupPlaces& places, const StepLimits& limits, const std::string& name);
  ~StepCgroup();
  StepCgroup(const StepCgroup&) = delete;
  StepCgroup& operator=(const StepCgroup&) = delete;

  /// The groups, for a process that is to be in them (its id goes into their cgroup.procs).
  const std::vector<std::filesystem::path>& directories() const { return groups_; }

  /// True if the kernel killed a process of the step for want of memory within its limit.
  bool ran_out_of_memory() const;
  /// True if a fork failed for want of StepLimits::pids.
  bool wanted_more_processes() const;

 private:
  std::filesystem::path make(const CgroupPlaces::Place& place, const std::string& name);
  std::vector<std::filesystem::path> groups_;  ///< each once: with v2 one serves all controllers
  std::vector<UniqueFd> locks_;
  std::optional<CgroupPlaces::Place> memory_;  ///< its directory is the step's own
  std::optional<std::filesystem::path> pids_;
};

/// Removes empty groups whose StepCgroup ended without its destructor: its process was killed. Those made less
/// than `age` ago stay: a slipway from before the locks may be about to use them.
void remove_abandoned_groups(const CgroupPlaces& places, std::chrono::seconds age = std::chrono::minutes(1));

}  // namespace slipway
