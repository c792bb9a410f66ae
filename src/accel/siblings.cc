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
      : siblings_(siblings), list_(list), target_(siblings.target), host_(siblings.host) {}

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
    libraries_.emplace(host_, *host_packages_, *target_packages_, host_number_);
    found_.trees.push_back(siblings_.host);
    for (const auto& [name, package] : list_.of(target_packages_->kind())) look_into(name, package);
    drop_excluded_inodes();
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

  void look_into(const std::string& name, const NeutralPackage& neutral) {
    const Package* target = target_packages_->package(name);
    const Package* host = host_packages_->package(name);
    if (!target) return;
    if (!host) return decline(name, "the host's root has no such package");
    if (!is_same_source(target->version, host->version))
      return decline(name, concat("the target has ", target->version, ", the host ", host->version));
    for (const auto& [path, checksum] : target_packages_->files(name)) {
      if (!is_in_program_directory(path)) continue;
      if (const std::string* why = neutral.exclusion(path))
        exclude(path, *why);
      else if (const NeutralProgram* program = neutral.program(
                   path, {siblings_.target_platform.architecture(), siblings_.host_platform.architecture()}))
        judge(path, *target, *program);
    }
  }

  /// An excluded file may be another name of a program that has a twin, which is known by its inode.
  void exclude(const std::string& path, const std::string& why) {
    try {
      if (const auto status = target_.stat(path, false); status && S_ISREG(status->st_mode)) {
        excluded_[status->st_ino] = path;
        decline(path, why);
      }
    } catch (const SystemError&) {
      // Not to be looked at: not to be run as a twin either.
    }
  }

  void drop_excluded_inodes() {
    std::erase_if(found_.twins, [&](const Twin& twin) {
      const auto excluded = excluded_.find(twin.identity.inode);
      if (excluded == excluded_.end()) return false;
      decline(twin.target, concat("is the same file as ", excluded->second));
      return true;
    });
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
    if (const std::string why = find_program(twin, std::move(target->bytes), program.is_retold); !why.empty())
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
    if (!owned) return "its package's database has no checksum of it";
    if (checksum_of(owned->checksum.kind, file.bytes) != owned->checksum)
      return concat("is not the file of its package ", package.name);
    return {};
  }

  /// Fills in what is run. Returns why not, a clause.
  std::string find_program(Twin& twin, std::string target, bool is_retold) {
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
    HostLibraries::Closure closure = libraries_->closure_of(*image);
    if (!closure.why_not.empty()) return "twin: " + closure.why_not;
    twin.program = file->path;
    twin.loader = closure.loader;
    twin.library_path = closure.library_path;
    if (is_retold) return use_copy(twin, *image, *target_image, closure);
    return why_not_as_it_is(*image, *target_image);
  }

  /// A program that is on the list as one that names no machine has to be one.
  std::string why_not_as_it_is(const ElfImage& host, const ElfImage& target) {
    auto strings = machine_strings(host, *host_machine_, target, list_);
    if (strings.empty()) strings = machine_strings(target, *target_machine_, host, list_);
    return strings.empty() ? std::string() : concat("names a machine: \"", strings.front().text, '"');
  }

  std::string use_copy(Twin& twin, const ElfImage& host, const ElfImage& target,
                       const HostLibraries::Closure& closure) {
    const Retelling retold = retell(host, *host_machine_, target, *target_machine_, list_);
    if (!retold.program) return "cannot be re-told: " + retold.why_not;
    if (*retold.program == host.bytes()) return {};
    copy(twin.program, *retold.program, 0755);
    for (const std::string& path : closure.files) {
      if (!copied_.insert(path).second) continue;
      // Was read and verified a moment ago, and the tree is read-only.
      const auto file = read_real_file(host_, path);
      if (!file) return concat("twin: its library ", path, " is missing");
      copy(path, file->bytes, 0755);
    }
    if (found_.trees.size() == 1) found_.trees.push_back(siblings_.copies);
    twin.tree = 1;
    return {};
  }

  void copy(const std::string& path, const std::string& bytes, unsigned mode) {
    const fs::path to = siblings_.copies.native() + path;
    fs::create_directories(to.parent_path());
    write_file_atomic(to, bytes, Durability::None, mode);
  }

  const Siblings& siblings_;
  const NeutralPackages& list_;
  RootedDir target_, host_;
  const MachineNames *host_machine_ = nullptr, *target_machine_ = nullptr;
  std::uint16_t host_number_ = 0, target_number_ = 0;
  std::unique_ptr<PackageDatabase> target_packages_, host_packages_;
  std::optional<HostLibraries> libraries_;
  std::set<std::uint64_t> inodes_;
  std::map<std::uint64_t, std::string> excluded_;
  std::set<std::string> copied_;
  AcceleratedRoot found_;
};

}  // namespace

AcceleratedRoot find_siblings(const Siblings& siblings, const NeutralPackages& list) {
  return Search(siblings, list).run();
}

}  // namespace slipway
