#include "build/build_provenance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <tuple>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "build/local_export.h"
#include "cache/cache_key.h"
#include "dockerfile/build_args.h"
#include "graph/git_url.h"
#include "registry/url.h"

namespace slipway {

namespace {

constexpr std::string_view kImageScheme = "docker-image://";
constexpr std::string_view kLayoutScheme = "oci-layout://";
constexpr const char* kContext = "context";
constexpr const char* kDockerfile = "dockerfile";

template <class T>
void add_once(std::vector<T>& list, T entry) {
  if (std::ranges::find(list, entry) == list.end()) list.push_back(std::move(entry));
}

void add_id(std::map<std::string, bool>& ids, const std::string& id, bool optional) {
  const auto [known, is_new] = ids.try_emplace(id.empty() ? "default" : id, optional);
  if (!is_new) known->second = known->second && optional;
}

void add_exec(const ExecOp& exec, ProvenanceFacts& facts) {
  facts.network = facts.network || exec.network != NetworkMode::None;
  for (const Mount& mount : exec.mounts) {
    if (mount.secret) add_id(facts.secrets, mount.secret->id, mount.secret->optional);
    if (mount.ssh) add_id(facts.ssh, mount.ssh->id, mount.ssh->optional);
  }
  for (const SecretEnv& secret : exec.secret_env) add_id(facts.secrets, secret.id, secret.optional);
}

Material image_material(const ImageRef& image, const Platform& platform) {
  return {.uri = image.domain() == kLayoutDomain ? layout_purl(image, platform) : image_purl(image, platform),
          .digest = image.digest() ? image.digest()->str() : ""};
}

/// What a named context is, as buildx tells its builder: no path of this machine.
std::string shown_context(const std::string& name, const std::string& value) {
  std::error_code ignored;
  if (value.starts_with(kLayoutScheme)) return concat(kLayoutScheme, name);
  if (std::filesystem::is_directory(value, ignored)) return concat("local:", name);
  return without_credentials(value);
}

/// Nothing of a file that its owner may not read and who builds is no more than that.
std::optional<Digest> digest_of_file(const std::filesystem::path& path, const std::stop_token& stop) {
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!file && errno == EACCES) return std::nullopt;
  if (!file) throw SystemError(errno, "open", path.native());
  Sha256 hash;
  std::array<char, 65536> buffer;
  while (true) {
    if (stop.stop_requested()) throw Cancelled{};
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", path.native());
    if (n == 0) return hash.finish();
    hash.update(buffer.data(), static_cast<std::size_t>(n));
  }
}

/// Regular files of a tree, by path, with their digests.
std::vector<Subject> files_of(const std::filesystem::path& tree, const std::stop_token& stop) {
  std::vector<Subject> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator
           at(tree, std::filesystem::directory_options::skip_permission_denied, error),
       end;
       !error && at != end; at.increment(error)) {
    if (at->symlink_status(error).type() != std::filesystem::file_type::regular) continue;
    if (const auto digest = digest_of_file(at->path(), stop))
      files.push_back({.name = at->path().lexically_relative(tree).native(), .digest = *digest});
  }
  if (error) throw SystemError(error.value(), "read", tree.native());
  std::ranges::sort(files, {}, &Subject::name);
  return files;
}

/// In place of whatever has the name; no link in what was exported leads it elsewhere.
void write_beside(const RootedDir& target, const std::string& directory, const std::string& name,
                  const std::string& bytes) {
  const UniqueFd parent = target.make_directories(directory, {});
  const std::string shown = concat(target.shown(), directory, name);
  if (::unlinkat(parent.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    throw SystemError(errno, "replace", shown);
  const UniqueFd file(
      ::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) throw SystemError(errno, "create", shown);
  write_all(file.get(), bytes, shown);
}

}  // namespace

std::string time_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return rfc3339(seconds.count(),
                 static_cast<std::uint32_t>(
                     std::chrono::duration_cast<std::chrono::nanoseconds>(now - seconds).count()));
}

BuildProvenance::BuildProvenance(const BuildRequest& request, const dockerfile::Lowered& lowered,
                                 BuildInputs& inputs, std::string invocation, std::string started)
    : request_(request),
      lowered_(lowered),
      inputs_(inputs),
      invocation_(std::move(invocation)),
      started_(std::move(started)) {
  for (const auto& [id, secret] : request_.secrets) hidden_.add(secret);
}

void BuildProvenance::finish() { finished_ = time_now(); }

std::map<std::string, std::string> BuildProvenance::arguments() const {
  std::map<std::string, std::string> args;
  for (const auto& [name, value] : request_.build_args)
    if (!dockerfile::is_proxy_arg(name)) args.emplace(concat("build-arg:", name), value);
  for (const auto& [name, value] : request_.labels) args.emplace(concat("label:", name), value);
  for (const auto& [name, value] : request_.named_contexts)
    args.emplace(concat("context:", name), shown_context(name, value));
  if (!request_.target.empty()) args.emplace("target", request_.target);
  if (request_.no_cache || !request_.no_cache_stages.empty()) {
    const std::vector<std::string> stages(request_.no_cache_stages.begin(), request_.no_cache_stages.end());
    args.emplace("no-cache", request_.no_cache ? "" : join(stages, ","));
  }
  std::vector<std::string> hosts, limits;
  for (const ExtraHost& host : request_.extra_hosts) hosts.push_back(concat(host.host, "=", host.address));
  for (const Ulimit& limit : request_.ulimits)
    limits.push_back(concat(limit.name, "=", limit.soft, ":", limit.hard));
  if (!hosts.empty()) args.emplace("add-hosts", join(hosts, ","));
  if (!limits.empty()) args.emplace("ulimit", join(limits, ","));
  if (request_.shm_size > 0) args.emplace("shm-size", std::to_string(request_.shm_size));
  return args;
}

/// The context, the Dockerfile, and what was said of them.
void BuildProvenance::add_request(ProvenanceFacts& facts) const {
  facts.args = arguments();
  if (request_.definition) return;
  facts.frontend = "dockerfile.v0";
  const DockerfileFile& file = inputs_.contexts().dockerfile();
  facts.file = file.name;
  const auto& origins = inputs_.contexts().origins();
  if (const auto context = origins.find(kContext); context != origins.end()) {
    facts.source = {.uri = context->second.url, .digest = context->second.digest};
    facts.materials.push_back(facts.source);
    if (!request_.dockerfile.empty() && request_.dockerfile.is_relative() && request_.dockerfile != "-" &&
        !origins.contains(kDockerfile))
      facts.file = request_.dockerfile.native();
  }
  if (const auto own = origins.find(kDockerfile); own != origins.end()) {
    add_once(facts.materials, Material{.uri = own->second.url, .digest = own->second.digest});
  } else if (!origins.contains(kContext) || request_.dockerfile == "-") {
    facts.locals.emplace_back(kDockerfile);
  }
}

void BuildProvenance::add_source(const Vertex& vertex, const SourceOp& source, ProvenanceFacts& facts) const {
  if (source.identifier.starts_with(kImageScheme)) {
    add_once(facts.materials,
             image_material(ImageRef::parse(std::string_view(source.identifier).substr(kImageScheme.size())),
                            vertex.op.platform.value_or(facts.platform)));
  } else if (const std::string local = local_source_name(vertex.op); !local.empty()) {
    const auto& origins = inputs_.contexts().origins();
    if (const auto origin = origins.find(local); origin != origins.end()) {
      add_once(facts.materials, Material{.uri = origin->second.url, .digest = origin->second.digest});
    } else {
      add_once(facts.locals, local);
    }
  } else if (const auto version = inputs_.remote().version_of(vertex)) {
    add_once(facts.materials, Material{.uri = version->url, .digest = version->digest});
  }
}

void BuildProvenance::add_vertex(const Vertex& vertex, ProvenanceFacts& facts) const {
  facts.steps.push_back(&vertex);
  if (const auto* source = std::get_if<SourceOp>(&vertex.op.what)) {
    add_source(vertex, *source, facts);
  } else if (const auto* exec = std::get_if<ExecOp>(&vertex.op.what)) {
    add_exec(*exec, facts);
  }
}

/// The images of this machine's architecture that the twins were of: they made part of the result.
void BuildProvenance::add_twins(ProvenanceFacts& facts) const {
  const Platform host = Platform::host();
  for (const TwinUse& twin : facts.twins) {
    const auto pack = std::ranges::find(request_.accel_packs, twin.source, &ImageRef::familiar);
    try {
      const ImageRef image = pack != request_.accel_packs.end()
                                 ? inputs_.images().resolve(*pack, host, {}).pinned  // known by now
                                 : ImageRef::parse(twin.source.substr(0, twin.source.find(' ')));
      add_once(facts.materials, image_material(image, host));
    } catch (const Error&) {  // a source is for people first; the list of twins has it in any case
    }
  }
}

ProvenanceFacts BuildProvenance::facts(std::size_t index, const LaneEnd& end, ProvenanceMode mode) const {
  const dockerfile::LoweredLane& lane = lowered_.lanes.at(index);
  ProvenanceFacts facts{.builder = Platform::host(),
                        .invocation = invocation_,
                        .started = started_,
                        .finished = finished_,
                        .platform = lane.platform,
                        .mode = end.mode,
                        .isolation = end.isolation,
                        .twins = end.twins,
                        .emulation = end.emulation};
  add_request(facts);
  if (lane.result)
    for (const Digest& digest : lowered_.graph.reachable_from({*lane.result}))
      add_vertex(lowered_.graph.at(digest), facts);
  add_twins(facts);
  // Images first, as there.
  std::ranges::sort(facts.materials, {}, [](const Material& material) {
    return std::tuple(!material.uri.starts_with("pkg:"), material.uri);
  });
  std::ranges::sort(facts.locals);
  if (mode == ProvenanceMode::Max) {
    if (end.image) facts.layers = end.image->layers;
    if (request_.definition) {
      facts.sources = request_.definition->sources;
    } else {
      const DockerfileFile& file = inputs_.contexts().dockerfile();
      facts.sources = {{.name = file.name, .text = file.text, .language = "Dockerfile"}};
    }
    return facts;
  }
  // A query may be what opens the door.
  facts.source.uri = without_query(facts.source.uri);
  for (Material& material : facts.materials)
    if (!material.uri.starts_with("pkg:")) material.uri = without_query(material.uri);
  for (auto& [name, value] : facts.args)
    if (name.starts_with("context:")) value = without_query(value);
  return facts;
}

std::string BuildProvenance::predicate(std::size_t lane, const LaneEnd& end,
                                       const ProvenanceOptions& options) const {
  return provenance_predicate(facts(lane, end, options.mode), options, hidden_);
}

std::vector<Descriptor> BuildProvenance::attestations(Store& store, const std::vector<LaneEnd>& lanes,
                                                      const std::vector<ImageRef>& names) const {
  std::vector<Descriptor> manifests;
  if (!request_.provenance.is_attached()) return manifests;
  const ProvenanceOptions& options = request_.provenance.options;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const Descriptor& image = lanes[i].image->manifest;
    std::vector<Subject> subjects;
    for (const ImageRef& name : names)
      subjects.push_back({.name = image_purl(name, *image.platform), .digest = image.digest});
    if (subjects.empty()) subjects.push_back({.name = "_", .digest = image.digest});
    manifests.push_back(
        put_attestation(store, image, options.version,
                        in_toto_statement(options.version, subjects, predicate(i, lanes[i], options))));
  }
  return manifests;
}

void BuildProvenance::write_files(Store& store, const std::vector<LaneEnd>& lanes,
                                  const std::filesystem::path& directory, std::stop_token stop) const {
  if (!request_.provenance.is_attached() || request_.provenance.inline_only) return;
  const ProvenanceOptions& options = request_.provenance.options;
  const RootedDir target(directory);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const AssembledImage& image = *lanes[i].image;
    std::vector<Subject> files;
    if (image.tree) files = files_of(store.snapshots().view(*image.tree).path(), stop);
    write_beside(target, tree_directory(image, lanes.size()), request_.provenance.filename,
                 in_toto_statement(options.version, files, predicate(i, lanes[i], options)) + "\n");
  }
}

std::string BuildProvenance::for_metadata(std::size_t lane, const LaneEnd& end) const {
  if (request_.provenance.attach == ProvenanceRequest::Attach::Refused || !request_.provenance.metadata)
    return "";
  ProvenanceOptions options = request_.provenance.options;
  options.mode = *request_.provenance.metadata;
  return predicate(lane, end, options);
}

}  // namespace slipway
