#pragma once
// A Dockerfile as stages of typed commands: flags and arguments checked, nothing expanded. Everything points
// into the Dockerfile it was read from, which must outlive it.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dockerfile/ast.h"
#include "dockerfile/words.h"
#include "graph/ops.h"
#include "manifest/oci.h"

namespace slipway::dockerfile {

struct KeyValue {
  Word key, value;
};
struct ArgDeclaration {
  Word name;                  ///< never expanded
  std::optional<Word> value;  ///< the default
};

/// Arguments of RUN, CMD and ENTRYPOINT: a list, or (shell form) one text for the SHELL.
struct CommandLine {
  bool shell = false;
  std::vector<std::string> args;
};

/// One RUN --mount. Texts (id, target, source, from) are as written, not expanded yet.
struct MountSpec {
  const Flag* flag = nullptr;
  MountType type = MountType::Bind;
  std::optional<std::string> id, target, source, from;
  std::optional<std::string> env;  ///< of a secret: the variable to set
  std::optional<bool> readonly;    ///< absent: the type's default
  bool required = false;
  CacheSharing sharing = CacheSharing::Shared;
  std::optional<unsigned> uid, gid, mode;
  std::int64_t size = 0;  ///< of a tmpfs, bytes
  /// An option that is no text holds a variable: read_mount() is to read the flag again with its value.
  bool deferred = false;
};

struct ArgCommand {
  std::vector<ArgDeclaration> args;
};
struct EnvCommand {
  std::vector<KeyValue> pairs;
};
struct LabelCommand {
  std::vector<KeyValue> pairs;
};
struct WorkdirCommand {
  Word path;
};
struct UserCommand {
  Word user;
};
struct ExposeCommand {
  std::vector<Word> ports;
};
struct VolumeCommand {
  std::vector<Word> paths;
};
struct StopSignalCommand {
  Word signal;
};
struct MaintainerCommand {
  std::string name;
};
struct ShellCommand {
  std::vector<std::string> shell;
};
struct CmdCommand {
  CommandLine line;
};
struct EntrypointCommand {
  CommandLine line;
};
struct HealthcheckCommand {
  HealthCheck check;  ///< test is complete: NONE, CMD … or CMD-SHELL …
};
struct RunCommand {
  CommandLine line;
  std::vector<MountSpec> mounts;
  NetworkMode network = NetworkMode::Sandbox;
  SecurityMode security = SecurityMode::Sandbox;
  std::vector<DeviceRequest> devices;
};
/// COPY, and ADD, which takes URLs, git repositories and archives too.
struct CopyCommand {
  bool add = false;
  std::vector<Word> sources;                 ///< in the order written, but for here-documents
  std::vector<const Heredoc*> inline_files;  ///< here-documents: files named by them
  Word dest;
  const Flag* from = nullptr;
  const Flag* chown = nullptr;
  const Flag* chmod = nullptr;
  std::vector<const Flag*> exclude;
  bool link = false;
  bool parents = false;
  bool keep_git_dir = false;       ///< ADD
  const Flag* checksum = nullptr;  ///< ADD
  std::optional<bool> unpack;      ///< ADD; absent: local archives are unpacked, downloaded ones are not
};
/// A trigger for images that are built on this one.
struct OnbuildCommand {
  std::string
      instruction;  ///< what follows ONBUILD: one logical line, then bodies and ends of here-documents
};

using Command = std::variant<ArgCommand, EnvCommand, LabelCommand, WorkdirCommand, UserCommand, ExposeCommand,
                             VolumeCommand, StopSignalCommand, MaintainerCommand, ShellCommand, CmdCommand,
                             EntrypointCommand, HealthcheckCommand, RunCommand, CopyCommand, OnbuildCommand>;

struct StageCommand {
  const Instruction* at = nullptr;
  Command what;
};

struct Stage {
  const Instruction* from = nullptr;
  int index = 0;
  std::string name;  ///< lower case; empty without AS
  Word base;
  const Flag* platform = nullptr;
  std::vector<StageCommand> commands;
};

struct GlobalArg {
  const Instruction* at = nullptr;
  ArgDeclaration declaration;
};

struct Program {
  std::vector<GlobalArg> global_args;  ///< ARGs before the first FROM
  std::vector<Stage> stages;           ///< at least one
  std::vector<std::string> warnings;
};

/// Throws InvalidInput with the place of what is wrong.
Program read_program(const Dockerfile& file);

/// Gives a written value with its variables put in and its quotes taken off.
using MountValue = std::function<std::string(std::string_view written)>;

/// One --mount. Options of a fixed form are checked; those that hold variables are left out (and the result
/// is `deferred`) unless `value_of` is given.
MountSpec read_mount(const Dockerfile& file, const Flag& flag, const MountValue& value_of = {});

/// Readers of single instructions, for read_program().
CommandLine read_command_line(const Dockerfile& file, const Instruction& instruction);
RunCommand read_run(const Dockerfile& file, const Instruction& instruction);
/// COPY and ADD.
CopyCommand read_copy(const Dockerfile& file, const Instruction& instruction);
HealthcheckCommand read_healthcheck(const Dockerfile& file, const Instruction& instruction);

}  // namespace slipway::dockerfile
