#include "nodes/local_node.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "nodes/file_actions.h"

namespace slipway {

namespace {

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string shown_command(const std::vector<std::string>& args) {
  constexpr std::size_t kShown = 400;
  const std::string command = join(args, " ");
  return command.size() <= kShown ? command : command.substr(0, kShown) + "...";
}

void add_proxy(const std::optional<ProxyEnv>& proxy, std::vector<std::string>& env) {
  if (!proxy) return;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    env.push_back(concat(to_upper(name), "=", value));
    env.push_back(concat(name, "=", value));
  };
  add("http_proxy", proxy->http_proxy);
  add("https_proxy", proxy->https_proxy);
  add("ftp_proxy", proxy->ftp_proxy);
  add("no_proxy", proxy->no_proxy);
  add("all_proxy", proxy->all_proxy);
}

/// The snapshot behind an input; nothing for an empty tree.
std::optional<SnapshotId> snapshot_of(int input, const std::vector<VertexResult>& inputs) {
  if (input < 0) return std::nullopt;
  return inputs.at(static_cast<std::size_t>(input)).snapshot;
}

/// The trees that a file op reads, mounted when first read and for as long as this lives.
class SourceTrees {
 public:
  SourceTrees(Store& store, const LocalContexts& contexts, const std::vector<VertexResult>& inputs)
      : store_(store),
        contexts_(contexts),
        inputs_(inputs),
        empty_(store.temp_directory(), "empty"),
        nothing_(empty_.path()) {}

  SourceTree open(int input) {
    last_opened_ = "an empty tree";
    if (input < 0) return {.tree = &nothing_};
    const VertexResult& result = inputs_.at(static_cast<std::size_t>(input));
    if (!result.context.empty()) {
      const LocalContext& context = contexts_.at(result.context);
      last_opened_ = concat("the build context ", context.directory.native());
      return {.tree = &context.tree, .ignored = &context.ignored};
    }
    last_opened_ = "the file system of that stage or image";
    if (!result.snapshot) return {.tree = &nothing_};
    auto view = views_.find(input);
    if (view == views_.end()) {
      MountedTree mount = store_.snapshots().view(*result.snapshot);
      RootedDir tree(mount.path());
      view = views_.emplace(input, View{std::move(mount), std::move(tree)}).first;
    }
    return {.tree = &view->second.tree};
  }
  /// Where the last read path was looked for, for messages.
  const std::string& last_opened() const { return last_opened_; }

 private:
  struct View {  // destroyed in reverse: the descriptor goes before the mount
    MountedTree mount;
    RootedDir tree;
  };
  Store& store_;
  const LocalContexts& contexts_;
  const std::vector<VertexResult>& inputs_;
  TempDir empty_;
  RootedDir nothing_;
  std::map<int, View> views_;
  std::string last_opened_;
};

/// True of what a path or file in the trees causes, rather than the machine.
bool is_trees_fault(int error_number) {
  static constexpr std::array kErrors = {ELOOP, ENOTDIR, EISDIR, ENAMETOOLONG, EINVAL, EEXIST, ENOTEMPTY};
  return std::ranges::find(kErrors, error_number) != kErrors.end();
}

/// The message without the place of the store, which says nothing to who wrote the Dockerfile.
std::string without(std::string text, const std::string& part) {
  for (std::size_t at; (at = text.find(part)) != std::string::npos;) text.erase(at, part.size());
  return text;
}

const Mount& root_mount(const ExecOp& exec) {
  const auto root = std::ranges::find(exec.mounts, std::string("/"), &Mount::dest);
  if (root == exec.mounts.end()) throw InvalidInput("the operation has no root file system");
  return *root;
}

std::string exit_message(const ExecOp& exec, int exit_code) {
  std::string message = concat("process \"", shown_command(exec.args),
                               "\" did not complete successfully: exit code: ", exit_code);
  if (exit_code > 128 && exit_code < 160) message += concat(" (killed by signal ", exit_code - 128, ")");
  return message;
}

}  // namespace

LocalNode::LocalNode(Store& store, std::function<Sandbox&()> sandbox, ImageSource& images,
                     LocalContexts& contexts, LocalNodeOptions options, ProgressSink& progress)
    : store_(store),
      sandbox_(std::move(sandbox)),
      images_(images),
      contexts_(contexts),
      options_(std::move(options)),
      progress_(progress) {}

Execution LocalNode::execution_for(const Platform& target) {
  if (auto known = executions_.lock(); known->contains(target)) return known->at(target);
  Execution execution = choose_execution(options_.host, target, options_.emulation, options_.emulators);
  executions_.lock()->emplace(target, execution);
  return execution;
}

std::optional<VertexResult> LocalNode::find_result(const Vertex& vertex) {
  const SourceOp* source = std::get_if<SourceOp>(&vertex.op.what);
  if (!source || !local_source_name(vertex.op).empty()) return std::nullopt;
  const auto root = images_.find_unpacked_root(*source);
  if (!root) return std::nullopt;
  return VertexResult{.snapshot = *root, .context = {}};
}

VertexResult LocalNode::run(const Vertex& vertex, const std::vector<VertexResult>& inputs,
                            std::stop_token stop) {
  if (const SourceOp* source = std::get_if<SourceOp>(&vertex.op.what)) {
    if (const std::string context = local_source_name(vertex.op); !context.empty())
      return {.context = context};
    const auto progress = [&](const std::string& item, std::uint64_t current, std::uint64_t total) {
      progress_.emit(BytesMoved{.id = vertex.digest.str(),
                                .item = item,
                                .current = current,
                                .total = total,
                                .done = current == total});
    };
    return {.snapshot = images_.unpack(*source, progress, stop)};
  }
  if (const ExecOp* exec = std::get_if<ExecOp>(&vertex.op.what)) return run_exec(vertex, *exec, inputs, stop);
  if (std::holds_alternative<MergeOp>(vertex.op.what))
    throw InvalidInput("merging trees is not supported yet by this slipway");
  return run_file(vertex, std::get<FileOp>(vertex.op.what), inputs, stop);
}

VertexResult LocalNode::run_exec(const Vertex& vertex, const ExecOp& exec,
                                 const std::vector<VertexResult>& inputs, std::stop_token stop) {
  const TempDir scratch(store_.temp_directory(), "run");
  ActiveSnapshot active = store_.snapshots().prepare(snapshot_of(root_mount(exec).input, inputs));
  SandboxSpec spec{
      .id = concat("slipway-", vertex.digest.short_hex(), "-", scratch.path().filename().native().substr(4)),
      .rootfs = active.root(),
      .scratch = scratch.path(),
      .args = exec.args,
      .env = exec.env,
      .cwd = exec.cwd,
      .user = exec.user,
      .network = exec.network};
  std::ranges::transform(spec.id, spec.id.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Mount& mount : exec.mounts)
    if (mount.dest != "/" && mount.type != MountType::Secret)
      throw InvalidInput(concat("the mount at ", mount.dest, " is of a type that is not supported"));
  add_proxy(exec.proxy, spec.env);
  add_secrets(exec, spec);
  if (vertex.op.platform) spec.execution = execution_for(*vertex.op.platform);
  const SandboxResult result = sandbox_().run(
      spec,
      [&](int stream, std::string_view bytes) {
        progress_.emit(StepLog{.id = vertex.digest.str(), .stream = stream, .bytes = std::string(bytes)});
      },
      stop);
  if (result.exit_code != 0) throw BuildFailed(exit_message(exec, result.exit_code));
  return {.snapshot = store_.snapshots().commit(std::move(active), now_seconds())};
}

const Secret* LocalNode::find_secret(const std::string& id, bool optional) const {
  const auto found = options_.secrets.find(id);
  if (found != options_.secrets.end()) return &found->second;
  if (optional) return nullptr;
  InvalidInput missing(concat("the step requires the secret \"", id, "\", which was not given"));
  missing.set_hint(concat("pass it with --secret id=", id, ",src=FILE or --secret id=", id, ",env=VARIABLE"));
  throw missing;
}

void LocalNode::add_secrets(const ExecOp& exec, SandboxSpec& spec) const {
  for (const Mount& mount : exec.mounts) {
    if (!mount.secret) continue;
    if (const Secret* value = find_secret(mount.secret->id, mount.secret->optional))
      spec.secrets.push_back({.dest = mount.dest,
                              .value = *value,
                              .uid = mount.secret->uid,
                              .gid = mount.secret->gid,
                              .mode = mount.secret->mode});
  }
  for (const SecretEnv& secret : exec.secret_env)
    if (const Secret* value = find_secret(secret.id, secret.optional))
      spec.secret_env.emplace_back(secret.name, *value);
}

VertexResult LocalNode::run_file(const Vertex& vertex, const FileOp& file,
                                 const std::vector<VertexResult>& inputs, std::stop_token stop) {
  int base = kNoInput;
  std::visit([&](const auto& first) { base = first.base; }, file.actions.at(0));
  ActiveSnapshot active = store_.snapshots().prepare(snapshot_of(base, inputs));
  SourceTrees sources(store_, contexts_, inputs);
  try {
    const RootedDir target(
        active.root());  // closed before the commit: an open descriptor would keep the mount busy
    apply_file_op(
        file, inputs.size(), target, [&](int input) { return sources.open(input); }, stop);
    for (const FileAction& action : file.actions) {
      const CopyAction* copied = std::get_if<CopyAction>(&action);
      if (!copied || copied->from < 0) continue;
      const std::string& context = inputs.at(static_cast<std::size_t>(copied->from)).context;
      if (!context.empty()) contexts_.check_unchanged(context, *copied, vertex, stop);
    }
  } catch (const NotFound& missing) {
    rethrow_missing_source(missing, vertex, sources.last_opened());
  } catch (const SystemError& e) {
    if (!is_trees_fault(e.error_number())) throw;
    throw InvalidInput(without(e.what(), active.root().native()));
  }
  return {.snapshot = store_.snapshots().commit(std::move(active), now_seconds())};
}

}  // namespace slipway
