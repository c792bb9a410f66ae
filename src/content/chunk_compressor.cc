#include "content/chunk_compressor.h"

#include <libdeflate.h>
#include <zstd.h>

#include <memory>
#include <new>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr int kGzipLevel = 6, kZstdLevel = 3;

void check_level(int level, int least, int most, std::string_view what) {
  if (level < least || level > most)
    throw InvalidInput(
        concat(what, " has no compression level ", level, "; levels are ", least, " to ", most));
}

std::string gzip(std::string_view chunk, int level) {
  check_level(level, 0, 9, "gzip");
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor{
      libdeflate_alloc_compressor(level), &libdeflate_free_compressor};
  if (!compressor) throw std::bad_alloc();
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), chunk.size()), '\0');
  const std::size_t size =
      libdeflate_gzip_compress(compressor.get(), chunk.data(), chunk.size(), out.data(), out.size());
  if (size == 0) throw std::bad_alloc();  // never with a buffer of that bound
  out.resize(size);
  return out;
}

std::string zstd(std::string_view chunk, int level) {
  check_level(level, 1, ZSTD_maxCLevel(), "zstd");
  std::string out(ZSTD_compressBound(chunk.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), chunk.data(), chunk.size(), level);
  if (ZSTD_isError(size)) throw Error(concat("zstd: ", ZSTD_getErrorName(size)));
  out.resize(size);
  return out;
}

}  // namespace

int default_level(Compression compression) {
  switch (compression) {
    case Compression::None:
      return 0;
    case Compression::Gzip:
      return kGzipLevel;
    case Compression::Zstd:
      return kZstdLevel;
  }
  return 0;
}

std::string compress_chunk(std::string_view chunk, Compression compression, int level) {
  if (level < 0) level = default_level(compression);
  switch (compression) {
    case Compression::None:
      break;
    case Compression::Gzip:
      return gzip(chunk, level);
    case Compression::Zstd:
      return zstd(chunk, level);
  }
  return std::string(chunk);
}

}  // namespace slipway
