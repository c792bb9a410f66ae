#include "content/copy_reuse.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/file_identity.h"

namespace slipway {

namespace {

constexpr std::string_view kHeader = "slipway copied files 1\n";

CopiedFiles::Mark mark_of(const std::string& path, const Digest& content, const CopyReuse::Made& made) {
  Sha256 hash;
  hash.update(concat(path, std::string_view("\0", 1), content.str(), " ", made.mode, " ", made.uid, " ",
                     made.gid, " ", made.mtime.tv_sec, " ", made.mtime.tv_nsec));
  const auto whole = hash.finish_raw();
  CopiedFiles::Mark mark{};
  std::copy_n(whole.begin(), mark.size(), mark.begin());
  return mark;
}

}  // namespace

void CopiedFiles::sort() { std::ranges::sort(marks_); }

bool CopiedFiles::has(const Mark& mark) const { return std::ranges::binary_search(marks_, mark); }

std::string CopiedFiles::bytes() const {
  std::string bytes(kHeader);
  for (const Mark& mark : marks_) bytes.append(mark.begin(), mark.end());
  return bytes;
}

std::optional<CopiedFiles> CopiedFiles::read(const std::filesystem::path& file) {
  const auto bytes = read_file_if_exists(file);
  if (!bytes || !bytes->starts_with(kHeader) ||
      (bytes->size() - kHeader.size()) % std::tuple_size_v<Mark> != 0)
    return std::nullopt;
  CopiedFiles files;
  files.marks_.resize((bytes->size() - kHeader.size()) / std::tuple_size_v<Mark>);
  if (!files.marks_.empty())
    std::memcpy(files.marks_.data(), bytes->data() + kHeader.size(), bytes->size() - kHeader.size());
  if (!std::ranges::is_sorted(files.marks_)) return std::nullopt;
  return files;
}

// Bytes that were digested a moment ago, or not at all, are copied: only of files that had settled does their
// identity say what is in them.
bool CopyReuse::take(const std::string& path, const struct stat& source, const Made& made) {
  const FileDigests::Identity identity = identity_of(source);
  if (!is_settled(identity)) return false;
  const auto content = digests_.find(identity);
  if (!content) return false;
  const CopiedFiles::Mark mark = mark_of(path, *content, made);
  files_.copied.add(mark);
  if (!earlier_ || !earlier_->has(mark)) return false;
  files_.paths.push_back(path);
  return true;
}

ReusedFiles CopyReuse::finish() {
  files_.copied.sort();
  return std::move(files_);
}

}  // namespace slipway
