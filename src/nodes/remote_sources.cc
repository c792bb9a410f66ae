#include "nodes/remote_sources.h"

#include <exception>

#include "base/check.h"
#include "base/error.h"
#include "base/strings.h"
#include "scheduler/io_pool.h"

namespace slipway {

namespace {

const SourceOp& source_of(const Vertex& vertex) {
  const SourceOp* source = std::get_if<SourceOp>(&vertex.op.what);
  SLIPWAY_CHECK(source, "only sources are asked what they are");
  return *source;
}

/// A Dockerfile may come from anywhere: it says nothing of this machine's files.
GitUrl remote_git(const SourceOp& source) {
  GitUrl url = git_url_of(source).value();
  if (url.remote.starts_with("file:"))
    throw InvalidInput(concat(shown_git_url(url), ": a Dockerfile cannot name a repository on this machine"));
  return url;
}

std::string shown_source(const SourceOp& source) {
  if (const auto url = git_url_of(source)) return shown_git_url(*url);
  return without_credentials(source.identifier.substr(0, source.identifier.find('?')));
}

SourceVersion version_of_git(const GitUrl& url, const GitVersion& version) {
  constexpr std::size_t kSha1 = 40;
  return {.url = shown_git_url(url),
          .digest = concat(version.commit.size() == kSha1 ? "sha1:" : "sha256:", version.commit)};
}

[[noreturn]] void refuse_missing(const NotFound& missing, const Vertex& vertex) {
  InvalidInput wrong(missing.what());
  wrong.set_hint(missing.hint());
  if (vertex.info.location) wrong.set_location(*vertex.info.location);
  throw wrong;
}

/// Rethrows the exception in flight with the place of the instruction.
[[noreturn]] void rethrow_at(const Vertex& vertex) {
  const auto& place = vertex.info.location;
  try {
    throw;
  } catch (LocatedError& e) {
    if (!e.location() && place) e.set_location(*place);
    throw;
  } catch (const NotFound& e) {
    refuse_missing(e, vertex);
  } catch (Error& e) {
    if (place) e.add_context(concat(place->file, ":", place->line));
    throw;
  }
}

}  // namespace

ItemProgress RemoteSources::item_progress(const std::string& step) const {
  return [this, step](const std::string& item, std::uint64_t current, std::uint64_t total) {
    progress_.emit(BytesMoved{
        .id = step, .item = item, .current = current, .total = total, .done = total > 0 && current == total});
  };
}

GitLog RemoteSources::git_log(const std::string& step) const {
  return [this, step](std::string_view bytes) {
    progress_.emit(StepLog{.id = step, .stream = 2, .bytes = std::string(bytes)});
  };
}

template <class Work>
auto RemoteSources::as_step(const std::string& id, const std::string& name, Work work) {
  progress_.emit(StepPlanned{.id = id, .name = name, .lane = {}, .inputs = {}});
  progress_.emit(StepStarted{.id = id, .how = {}});
  StepFinished end{.id = id, .end = StepEnd::Done, .error = {}};
  try {
    auto result = work();
    progress_.emit(end);
    return result;
  } catch (const Error& e) {
    end.end = StepEnd::Failed;
    end.error = e.what();
    progress_.emit(end);
    throw;
  } catch (...) {
    end.end = StepEnd::Cancelled;
    progress_.emit(end);
    throw;
  }
}

std::string RemoteSources::resolve(const Vertex& vertex, const std::stop_token& stop) {
  const SourceOp& source = source_of(vertex);
  try {
    // Two sources may differ in what is not shown of them.
    const std::string id = concat("resolve ", vertex.digest.str());
    return as_step(id, concat("[internal] resolve ", shown_source(source)), [&] {
      if (HttpSource::is_http(source)) {
        HttpVersion version = http_.resolve(source, item_progress(id), stop);
        std::string identity = version.identity();
        http_versions_.lock()->insert_or_assign(vertex.digest, std::move(version));
        return identity;
      }
      const GitUrl url = remote_git(source);
      GitVersion version = git_.resolve(url, stop);
      std::string identity = version.identity(url);
      git_versions_.lock()->insert_or_assign(vertex.digest, std::move(version));
      return identity;
    });
  } catch (const Error&) {
    rethrow_at(vertex);
  }
}

std::vector<std::string> RemoteSources::identities(const std::vector<const Vertex*>& sources,
                                                   std::stop_token stop) {
  constexpr std::size_t kAtOnce = 8;
  std::vector<std::string> found(sources.size());
  std::vector<std::exception_ptr> errors(sources.size());
  {
    IoPool pool({.threads = kAtOnce});
    for (std::size_t i = 0; i < sources.size(); ++i)
      pool.submit([&, i] {
        try {
          found[i] = resolve(*sources[i], stop);
        } catch (...) {
          errors[i] = std::current_exception();
        }
      });
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  return found;
}

SnapshotId RemoteSources::fetch(const Vertex& vertex, std::stop_token stop) {
  const SourceOp& source = source_of(vertex);
  const std::string id = vertex.digest.str();
  const auto find = [&](auto& versions) {
    auto locked = versions.lock();
    const auto known = locked->find(vertex.digest);
    SLIPWAY_CHECK(known != locked->end(), "a source is resolved before it is fetched");
    return known->second;
  };
  try {
    if (HttpSource::is_http(source))
      return http_.unpack(source, find(http_versions_), item_progress(id), stop);
    return git_.checkout(remote_git(source), find(git_versions_), git_log(id), stop);
  } catch (const NotFound& e) {
    refuse_missing(e, vertex);  // the place of other errors is told with the step's name
  }
}

std::optional<SourceVersion> RemoteSources::version_of(const Vertex& vertex) {
  const SourceOp& source = source_of(vertex);
  if (auto http = http_versions_.lock(); http->contains(vertex.digest))
    return SourceVersion{.url = without_credentials(source.identifier),
                         .digest = http->at(vertex.digest).content.str()};
  if (auto git = git_versions_.lock(); git->contains(vertex.digest))
    return version_of_git(remote_git(source), git->at(vertex.digest));
  return std::nullopt;
}

RemoteSources::GitTree RemoteSources::git_tree(const GitUrl& url, const std::string& name,
                                               std::stop_token stop) {
  return as_step(name, name, [&] {
    const GitVersion version = git_.resolve(url, stop);
    const Digest key = Digest::of(concat("slipway.context.v1 ", version.identity(url)));
    if (const auto known = store_.results().find(key)) return GitTree{*known, version_of_git(url, version)};
    const SnapshotId tree = git_.checkout(url, version, git_log(name), stop);
    store_.results().put(key, tree);
    return GitTree{tree, version_of_git(url, version)};
  });
}

HttpVersion RemoteSources::http_file(const std::string& url, const std::string& name, std::stop_token stop) {
  const SourceOp source{.identifier = url, .attrs = {}};
  return as_step(name, name, [&] {
    const HttpVersion version = http_.resolve(source, item_progress(name), stop);
    http_.fetch(source, version, item_progress(name), stop);
    return version;
  });
}

}  // namespace slipway
