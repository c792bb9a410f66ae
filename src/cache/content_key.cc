#include "cache/content_key.h"

#include "base/strings.h"
#include "cache/cache_key.h"

namespace slipway {

namespace {

// As with definition keys: what steps make of the same, or what a key covers, is in here.
constexpr std::string_view kKeyFormat = "slipway.contentkey.v1";

void read_by(const FileOp& file, std::vector<InputReads>& reads) {
  const auto is_input = [&](int index) {
    return index >= 0 && static_cast<std::size_t>(index) < reads.size();
  };
  for (const FileAction& action : file.actions) {
    const int base = std::visit([](const auto& any) { return any.base; }, action);
    if (is_input(base)) reads[static_cast<std::size_t>(base)].whole = true;
    const CopyAction* copy = std::get_if<CopyAction>(&action);
    if (copy && is_input(copy->from)) reads[static_cast<std::size_t>(copy->from)].selections.push_back(*copy);
  }
}

void read_by(const ExecOp& exec, std::vector<InputReads>& reads) {
  for (const Mount& mount : exec.mounts) {
    if (mount.input < 0 || static_cast<std::size_t>(mount.input) >= reads.size()) continue;
    InputReads& read = reads[static_cast<std::size_t>(mount.input)];
    const bool content_only = mount.type == MountType::Bind && mount.dest != "/" &&
                              mount.output == kNoOutput && mount.content_cache != ContentCache::Off;
    if (!content_only) read.whole = true;
    if (mount.dest != "/") read.selections.push_back(selection_of_mount(mount));
  }
}

}  // namespace

std::vector<InputReads> input_reads(const Vertex& vertex) {
  std::vector<InputReads> reads(vertex.op.inputs.size());
  if (const FileOp* file = std::get_if<FileOp>(&vertex.op.what)) {
    read_by(*file, reads);
  } else if (const ExecOp* exec = std::get_if<ExecOp>(&vertex.op.what)) {
    read_by(*exec, reads);
  } else {
    for (InputReads& read : reads) read.whole = true;
  }
  return reads;
}

Digest content_key(const Vertex& vertex, const std::vector<std::string>& inputs) {
  Sha256 hash;
  const auto add_field = [&](std::string_view field) {  // with its length: two never read as another two
    hash.update(concat(field.size(), ":"));
    hash.update(field);
  };
  add_field(key_format(kKeyFormat));
  add_field(own_definition(vertex));
  for (const std::string& input : inputs) add_field(input);
  return hash.finish();
}

}  // namespace slipway
