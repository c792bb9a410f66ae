#include "build/contexts.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "build/definition_lowering.h"
#include "nodes/oci_layout.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

constexpr const char* kKeepGitArg = "BUILDKIT_CONTEXT_KEEP_GIT_DIR";

bool is_http(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

bool is_true(std::string_view text) {
  return text == "1" || text == "true" || text == "True" || text == "TRUE" || text == "t" || text == "T";
}

/// The URL that a command line gives, if it is one of git; its mistakes are the command line's.
std::optional<GitUrl> git_context(const std::string& text) {
  try {
    return parse_git_context(text);
  } catch (const InvalidInput& e) {
    UsageError wrong(e.what());
    wrong.set_hint(e.hint());
    throw wrong;
  }
}

/// "dir:tag" or "dir@sha256:…" in two; a directory that has a ":" in its own name counts first.
std::pair<fs::path, std::string> split_layout(std::string_view spec) {
  std::error_code ignored;
  if (const std::size_t at = spec.rfind("@sha256:"); at != std::string_view::npos)
    return {spec.substr(0, at), std::string(spec.substr(at + 1))};
  const std::size_t colon = spec.rfind(':');
  if (colon == std::string_view::npos || spec.find('/', colon) != std::string_view::npos ||
      fs::is_directory(fs::path(spec), ignored))
    return {spec, ""};
  return {spec.substr(0, colon), std::string(spec.substr(colon + 1))};
}

}  // namespace

std::string named_context_key(const std::string& name) {
  const std::size_t platform = std::min(name.find("::"), name.size());
  try {
    std::string key = ImageRef::parse(to_lower(name.substr(0, platform))).familiar();
    if (key.ends_with(":latest")) key.resize(key.size() - 7);
    if (platform < name.size()) key += concat("::", Platform::parse(name.substr(platform + 2)).str());
    return key;
  } catch (const InvalidInput& e) {
    throw UsageError(concat("\"", name, "\" cannot be the name of a context: ", e.what()));
  }
}

void BuildContexts::load(const BuildRequest& request, std::stop_token stop) {
  load_main(request, stop);
  for (const auto& [name, value] : request.named_contexts) {
    try {
      load_named(named_context_key(name), value, stop);
    } catch (Error& e) {
      e.add_context(concat("--build-context ", name));
      throw;
    }
  }
}

void BuildContexts::load_for_definition(const BuildRequest& request) {
  constexpr std::string_view kLayout = "oci-layout://";
  for (const auto& [name, value] : request.named_contexts)
    if (value.starts_with(kLayout)) add_layout(named_context_key(name), value.substr(kLayout.size()));
  for (const auto& [name, patterns] : local_sources(*request.definition))
    load_local_source(request, name, patterns);
}

/// A named context is "NAME" to who wrote LLB by hand and "context:NAME" to our own frontend.
void BuildContexts::load_local_source(const BuildRequest& request, const std::string& name,
                                      const std::vector<std::string>& patterns) {
  constexpr std::string_view kNamed = "context:";
  const bool is_main = name == "context";
  fs::path directory = is_main ? request.context : fs::path();
  for (const auto& [given, value] : request.named_contexts)
    if (given == name || (name.starts_with(kNamed) && named_context_key(given) == name.substr(kNamed.size())))
      directory = value;
  std::error_code unreadable;
  if (!directory.empty() && fs::is_directory(directory, unreadable)) {
    locals_.insert_or_assign(
        name, Directory{.path = directory, .shown = directory.native(), .ignore_patterns = patterns});
    return;
  }
  const std::string flag =
      concat("--build-context ", name.starts_with(kNamed) ? name.substr(kNamed.size()) : name, "=DIRECTORY");
  UsageError missing(directory.empty()
                         ? concat("the definition reads the local source \"", name, "\", which was not given")
                         : concat("the definition reads the local source \"", name, "\", and ",
                                  directory.native(), " is no directory"));
  missing.set_hint(is_main ? concat("give its directory as the context, or with ", flag)
                           : concat("give it with ", flag));
  throw missing;
}

void BuildContexts::load_main(const BuildRequest& request, std::stop_token stop) {
  const std::string& context = request.context.native();
  std::error_code unreadable;
  if (context == "-") {
    if (request.dockerfile == "-")
      throw UsageError("the context and the Dockerfile cannot both come from stdin");
    take_fetched(request, fetch_.input(request.input, stop), stop);
  } else if (fs::is_directory(request.context, unreadable)) {
    main_ = {.path = request.context, .shown = context, .ignore_patterns = {}};
    const std::string file = request.dockerfile.native();
    if (file == "-" || is_http(file)) {
      take_fetched(request, {.directory = request.context, .shown = context, .dockerfile = {}}, stop);
      return;
    }
    dockerfile_ = find_dockerfile(request.context, request.dockerfile);
    main_.ignore_patterns = dockerfile_.ignore_patterns;
  } else if (auto url = git_context(context)) {
    if (const auto keep = request.build_args.find(kKeepGitArg); keep != request.build_args.end())
      url->keep_git_dir |= is_true(keep->second);
    take_fetched(request, fetch_.git(*url, concat("[internal] load git source ", shown_git_url(*url)), stop),
                 stop);
  } else if (is_http(context)) {
    take_fetched(request, fetch_.http(context, "[internal] load remote build context", stop), stop);
  } else {
    UsageError missing(concat("the build context ", without_credentials(context), " is not a directory"));
    if (context.find("://") != std::string::npos)
      missing.set_hint("contexts are directories, -, git URLs and http(s) URLs");
    throw missing;
  }
}

/// The Dockerfile of a context that is a tree of the store, or one whose Dockerfile comes from elsewhere.
void BuildContexts::take_fetched(const BuildRequest& request, FetchedContext context, std::stop_token stop) {
  const std::string file = request.dockerfile.native();
  const bool is_local = context.directory == request.context;
  if (context.origin) origins_.insert_or_assign("context", *context.origin);
  const auto own_patterns = [&] {
    return is_local ? context_ignore_patterns(context.directory) : ignore_patterns_within(context.directory);
  };
  if (context.dockerfile) {
    if (!file.empty() && context.shown == "stdin")
      throw UsageError("a Dockerfile came on stdin, and -f names another one");
    dockerfile_ = {.name = "Dockerfile", .text = std::move(*context.dockerfile), .ignore_patterns = {}};
  } else if (file == "-") {
    dockerfile_ = {.name = "Dockerfile",
                   .text = read_text_input(request.input, stop),
                   .ignore_patterns = own_patterns()};
  } else if (is_http(file)) {
    const HttpVersion version = remote_.http_file(file, "[internal] load remote Dockerfile", stop);
    origins_.insert_or_assign(
        "dockerfile", SourceVersion{.url = without_credentials(file), .digest = version.content.str()});
    dockerfile_ = {.name = "Dockerfile",
                   .text = dockerfile_from_blob(store_, version.content, without_credentials(file)),
                   .ignore_patterns = own_patterns()};
  } else {
    dockerfile_ = find_dockerfile_within(context.directory, request.dockerfile, context.shown);
  }
  main_ = {.path = std::move(context.directory),
           .shown = std::move(context.shown),
           .ignore_patterns = dockerfile_.ignore_patterns};
}

void BuildContexts::load_named(const std::string& name, const std::string& value, std::stop_token stop) {
  const auto after = [&](std::string_view scheme) -> std::optional<std::string> {
    if (!value.starts_with(scheme)) return std::nullopt;
    return value.substr(scheme.size());
  };
  using Kind = dockerfile::NamedContext::Kind;
  std::error_code unreadable;
  const std::string step = concat("[context ", name, "] load from ", without_credentials(value));
  if (const auto image = after("docker-image://")) {
    named_[name] = {.kind = Kind::Image, .value = ImageRef::parse(*image).familiar(), .ignore_patterns = {}};
  } else if (const auto stage = after("target:")) {
    if (stage->empty()) throw UsageError("target: needs the name of a stage");
    named_[name] = {.kind = Kind::Stage, .value = *stage, .ignore_patterns = {}};
  } else if (const auto layout = after("oci-layout://")) {
    add_layout(name, *layout);
  } else if (fs::is_directory(value, unreadable)) {
    add_local(name, {.path = value, .shown = value, .ignore_patterns = context_ignore_patterns(value)});
  } else if (const auto url = git_context(value)) {
    add_fetched(name, fetch_.git(*url, step, stop));
  } else if (is_http(value)) {
    add_fetched(name, fetch_.http(value, step, stop));
  } else {
    UsageError wrong(concat("\"", without_credentials(value), "\" is not a directory"));
    wrong.set_hint(
        "others are docker-image://REF, oci-layout://DIR[:TAG], target:STAGE, git and http(s) URLs");
    throw wrong;
  }
}

/// Under a name that no registry has; its blobs get into the store when they are needed.
void BuildContexts::add_layout(const std::string& name, std::string_view spec) {
  const auto [directory, wanted] = split_layout(spec);
  if (directory.empty()) throw UsageError("oci-layout:// needs the layout's directory after it");
  OciLayout layout(directory);
  const Descriptor image = layout.find(wanted);
  std::string repository = name;
  std::ranges::replace(repository, ':', '_');
  std::ranges::replace(repository, '@', '_');
  const ImageRef ref = ImageRef::parse(concat(kLayoutDomain, "/", repository)).with_digest(image.digest);
  images_.add_layout(ref, std::move(layout), image);
  named_[name] = {.kind = dockerfile::NamedContext::Kind::Image, .value = ref.str(), .ignore_patterns = {}};
}

void BuildContexts::add_fetched(const std::string& name, FetchedContext context) {
  if (context.origin) origins_.insert_or_assign(concat("context:", name), std::move(*context.origin));
  add_local(name,
            {.path = std::move(context.directory), .shown = std::move(context.shown), .ignore_patterns = {}});
}

void BuildContexts::add_local(const std::string& name, Directory directory) {
  const std::string source = concat("context:", name);
  named_[name] = {.kind = dockerfile::NamedContext::Kind::Local,
                  .value = source,
                  .ignore_patterns = directory.ignore_patterns};
  locals_.insert_or_assign(source, std::move(directory));
}

void BuildContexts::add_to(LocalContexts& contexts) const {
  if (!main_.path.empty()) contexts.add("context", main_.path, main_.ignore_patterns, main_.shown);
  for (const auto& [source, directory] : locals_)
    contexts.add(source, directory.path, directory.ignore_patterns, directory.shown);
}

}  // namespace slipway
