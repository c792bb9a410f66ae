#include "accel/siblings.h"

#include <sys/xattr.h>

#include <algorithm>
#include <set>

#include "accel/host_libraries.h"
#include "accel/machine_names.h"
#include "accel/packages.h"
#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "qemu/elf.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

bool is_in_program_directory(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/'));
  return directory == "/usr/bin" || directory == "/bin" || directory == "/usr/sbin" || directory == "/sbin" ||
         directory == "/usr/libexec/coreutils";
}

/// The search in one pair of roots.
class Search {
 public:
  Search(const Siblings& siblings, const NeutralPackages& list)
      : siblings_(siblings), list_(list), target_(siblings.target), host_(siblings.host) {
    if (!siblings.base.empty()) base_.emplace(siblings.base);
  }

  AcceleratedRoot run() {
    const MachineNames* host_machine = list_.machine(siblings_.host_platform.architecture());
    const MachineNames* target_machine = list_.machine(siblings_.target_platform.architecture());
    const auto host_elf = elf_target(siblings_.host_platform),
               target_elf = elf_target(siblings_.target_platform);
    if (target_machine) found_.machine = target_machine->uname;
    if (!host_machine || !target_machine || !host_elf || !target_elf)
      return none(concat("programs of ", siblings_.host_platform.str(),
                         " are not known to give the same bytes as those of ",
                         siblings_.target_platform.str()));
    if (siblings_.host_platform.architecture() == siblings_.target_platform.architecture())
      return none("both roots are of one architecture");
    host_machine_ = host_machine;
    target_machine_ = target_machine;
    host_number_ = host_elf->machine;
    target_number_ = target_elf->machine;
    host_packages_ = PackageDatabase::open(host_, siblings_.host_platform);
    target_packages_ = PackageDatabase::open(target_, siblings_.target_platform);
    if (!target_packages_) return none("the target's root has no package database that is known");
    if (!host_packages_ || host_packages_->kind() != target_packages_->kind())
      return none("the host's root has no package database of the target's kind");
    if (base_) {
      base_packages_ = PackageDatabase::open(*base_, siblings_.target_platform);
      if (!base_packages_) return none("the base image's root has no package database that is known");
      target_packages_->hold_to(*base_packages_);
    }
    libraries_.emplace(host_, *host_packages_, *target_packages_, host_number_);
    std::vector<std::pair<const Package*, const NeutralPackage*>> both;
    for (const auto& [name, package] : list_.of(target_packages_->kind()))
      if (const Package* of_target = in_both(name)) both.emplace_back(of_target, &package);
    for (const auto& [package, neutral] : both) exclude(*package, *neutral);
    for (const auto& [package, neutral] : both) look_into(*package, *neutral);
    if (!found_.twins.empty()) found_.trees.push_back(siblings_.copies);
    std::ranges::sort(found_.declined);
    return std::move(found_);
  }

 private:
  AcceleratedRoot none(std::string why) {
    found_.declined.push_back(std::move(why));
    return std::move(found_);
  }
  void decline(std::string_view path, std::string_view why) {
    found_.declined.push_back(concat(path, ": ", why));
  }

  bool is_same_source(const std::string& a, const std::string& b) const {
    if (target_packages_->kind() != PackageDatabase::Kind::Dpkg) return a == b;
    return without_rebuild(a) == without_rebuild(b);
  }

  /// The target's package, if both roots have it and it is of one source.
  const Package* in_both(const std::string& name) {
    const Package* target = target_packages_->package(name);
    const Package* host = host_packages_->package(name);
    if (target && !host) decline(name, "the host's root has no such package");
    if (!target || !host) return nullptr;
    if (base_packages_ && !base_packages_->package(name)) {
      decline(name, "a step installed it");
      return nullptr;
    }
    if (is_same_source(target->version, host->version)) return target;
    decline(name, concat("the target has ", target->version, ", the host ", host->version));
    return nullptr;
  }

  /// An excluded file may be another name of a program that is on the list: it is known by its inode.
  void exclude(const Package& package, const NeutralPackage& neutral) {
    for (const auto& [path, checksum] : target_packages_->files(package.name)) {
      const std::string* why = is_in_program_directory(path) ? neutral.exclusion(path) : nullptr;
      if (!why) continue;
      try {
        if (const auto status = target_.stat(path, false); status && S_ISREG(status->st_mode)) {
          excluded_[status->st_ino] = path;
          decline(path, *why);
        }
      } catch (const SystemError&) {
        // Not to be looked at: not to be run as a twin either.
      }
    }
  }

  void look_into(const Package& package, const NeutralPackage& neutral) {
    const std::vector<std::string> architectures{siblings_.target_platform.architecture(),
                                                 siblings_.host_platform.architecture()};
    for (const auto& [path, checksum] : target_packages_->files(package.name))
      if (is_in_program_directory(path) && !neutral.exclusion(path))
        if (const NeutralProgram* program = neutral.program(path, architectures))
          judge(path, package, *program);
  }

  void judge(const std::string& path, const Package& package, const NeutralProgram& program) {
    auto target = read_real_file(target_, path);
    if (!target || target->path != path) {
      // Links (alternatives, applets) are other names of files that are looked at themselves.
      if (!is_link(path)) decline(path, "is not a regular file that can be read");
      return;
    }
    if (!target->bytes.starts_with("\177ELF")) return;  // a script: its interpreter may have a twin
    const FileIdentity identity = FileIdentity::of(target->status);
    if (!inodes_.insert(identity.inode).second) return;  // another name of a file that was judged
    if (const auto excluded = excluded_.find(identity.inode); excluded != excluded_.end())
      return decline(path, concat("is the same file as ", excluded->second));
    const std::string why_not = why_not_target(*target, package);
    if (!why_not.empty()) return decline(path, why_not);
    Twin twin{.target = path,
              .identity = identity,
              .package = package.name,
              .version = package.version,
              .source = siblings_.source,
              .tree = 0,
              .program = {},
              .loader = {},
              .library_path = {},
              .declined_names = program.declined_names,
              .multi_call = program.multi_call,
              .rules = program.rules};
    if (const std::string why = find_program(twin, std::move(target->bytes), program); !why.empty())
      return decline(path, why);
    found_.twins.push_back(std::move(twin));
  }

  bool is_link(const std::string& path) {
    try {
      const auto status = target_.stat(path, false);
      return !status || S_ISLNK(status->st_mode);
    } catch (const SystemError&) {
      return false;
    }
  }

  std::string why_not_target(const RealFile& file, const Package& package) {
    if ((file.status.st_mode & 0111) == 0) return "is not executable";
    if ((file.status.st_mode & 07000) != 0) return "runs with other rights than its caller's";
    const std::string shown = concat("/proc/self/fd/", target_.fd(), file.path);
    if (::lgetxattr(shown.c_str(), "security.capability", nullptr, 0) >= 0) return "has file capabilities";
    const auto owned = target_packages_->file(package.name, file.path);
    if (!owned) return "its package's database has no checksum of it, or another than the base image's has";
    if (checksum_of(owned->checksum.kind, file.bytes) != owned->checksum)
      return concat("is not the file of its package ", package.name);
    return {};
  }

  /// Fills in what is run. Returns why not, a clause.
  std::string find_program(Twin& twin, std::string target, const NeutralProgram& listed) {
    auto file = read_real_file(host_, twin.target);
    if (!file) return "the host's root does not have it";
    const auto owned = host_packages_->file(twin.package, file->path);
    if (!owned || checksum_of(owned->checksum.kind, file->bytes) != owned->checksum)
      return concat("the host's file is not that of its package ", twin.package);
    if ((file->status.st_mode & 0111) == 0) return "the host's file is not executable";
    const auto target_image = ElfImage::parse(std::move(target)),
               image = ElfImage::parse(std::move(file->bytes));
    if (!target_image || target_image->machine() != target_number_)
      return "is not a program of the target's machine";
    if (!image || image->machine() != host_number_)
      return "the host's file is not a program of the host's machine";
    const HostLibraries::Closure closure = libraries_->closure_of(*image);
    if (!closure.why_not.empty()) return "twin: " + closure.why_not;
    twin.program = file->path;
    twin.loader = closure.loader;
    twin.library_path = closure.library_path;
    if (!listed.is_retold) {
      const std::string why_not = why_not_as_it_is(*image, *target_image);
      return why_not.empty() ? copy(twin, image->bytes(), closure) : why_not;
    }
    const Retelling retold = retell(*image, *host_machine_, *target_image, *target_machine_, list_);
    if (!retold.program) return "cannot be re-told: " + retold.why_not;
    const auto program = with_unsigned_chars(*retold.program, *image, listed.unsigned_chars);
    return program ? copy(twin, *program, closure) : "compares chars in a way that is not known";
  }

  /// A program that is on the list as one that names no machine has to be one.
  std::string why_not_as_it_is(const ElfImage& host, const ElfImage& target) {
    auto strings = machine_strings(host, *host_machine_, target, list_);
    if (strings.empty()) strings = machine_strings(target, *target_machine_, host, list_);
    return strings.empty() ? std::string() : concat("names a machine: \"", strings.front().text, '"');
  }

  /// A step sees all of the tree that its twins are in, so that has nothing else. What is copied are the
  /// bytes that were verified, under the paths that they have in the host's root. Returns why not, a clause.
  std::string copy(const Twin& twin, const std::string& program, const HostLibraries::Closure& closure) {
    std::set<std::string> files = libraries_->loaded_by_name(closure);
    files.insert(closure.files.begin(), closure.files.end());
    for (const std::string& path : files) {
      if (copied_.contains(path)) continue;
      const auto library = read_real_file(host_, path);
      if (!library || !libraries_->is_its_packages(*library)) return concat("twin: ", path, " has changed");
      write(path, library->bytes);
    }
    if (!copied_.contains(twin.program))
      write(twin.program, program);
    else if (read_file(siblings_.copies.native() + twin.program) != program)
      return "another twin is of the same file of the host's, and says something else";
    return {};
  }

  void write(const std::string& path, const std::string& bytes) {
    const fs::path to = siblings_.copies.native() + path;
    // A step's user may be anybody, whatever the umask here.
    for (std::size_t end = 0; end != std::string::npos; end = path.find('/', end + 1)) {
      const fs::path directory = siblings_.copies.native() + path.substr(0, end);
      if (fs::create_directories(directory)) fs::permissions(directory, fs::perms(0755));
    }
    write_file_atomic(to, bytes, Durability::None, 0755);
    fs::permissions(to, fs::perms(0755));
    copied_.insert(path);
  }

  const Siblings& siblings_;
  const NeutralPackages& list_;
  RootedDir target_, host_;
  std::optional<RootedDir> base_;
  const MachineNames *host_machine_ = nullptr, *target_machine_ = nullptr;
  std::uint16_t host_number_ = 0, target_number_ = 0;
  std::unique_ptr<PackageDatabase> base_packages_, target_packages_, host_packages_;
  std::optional<HostLibraries> libraries_;
  std::set<std::uint64_t> inodes_;
  std::map<std::uint64_t, std::string> excluded_;
  std::set<std::string> copied_;  ///< paths
  AcceleratedRoot found_;
};

}  // namespace

AcceleratedRoot find_siblings(const Siblings& siblings, const NeutralPackages& list) {
  return Search(siblings, list).run();
}

}  // namespace slipway
