# Libraries that are linked statically where there is a static one: of a build that does nothing, a fifth was the dynamic linker
# finding libraries, mapping them and looking up their symbols. libcurl, which is loaded when it is needed, brings an OpenSSL of
# its own.
set(OPENSSL_USE_STATIC_LIBS ON)
set(Protobuf_USE_STATIC_LIBS ON)
find_library(SQLite3_LIBRARY NAMES libsqlite3.a sqlite3)
find_library(LibArchive_LIBRARY NAMES libarchive.a archive)

# slipway::NAME, of the library NAME with HEADER.
function(slipway_find_library NAME HEADER)
  find_library(${NAME}_LIBRARY NAMES lib${NAME}.a ${NAME} REQUIRED)
  find_path(${NAME}_INCLUDE_DIR ${HEADER} REQUIRED)
  add_library(slipway::${NAME} UNKNOWN IMPORTED)
  set_target_properties(slipway::${NAME} PROPERTIES
    IMPORTED_LOCATION ${${NAME}_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${${NAME}_INCLUDE_DIR})
endfunction()

slipway_find_library(deflate libdeflate.h)
slipway_find_library(seccomp seccomp.h)
slipway_find_library(zstd zstd.h)

find_package(LibArchive 3.6 REQUIRED)
if(LibArchive_LIBRARY MATCHES "[.]a$")
  # What its tar and filters need, which a static library does not name. What its other formats need is not there: what is
  # not called is not linked.
  slipway_find_library(lzma lzma.h)
  slipway_find_library(lz4 lz4.h)
  slipway_find_library(bz2 bzlib.h)
  slipway_find_library(z zlib.h)
  target_link_libraries(LibArchive::LibArchive INTERFACE slipway::lzma slipway::zstd slipway::lz4 slipway::bz2 slipway::z)
  target_link_options(LibArchive::LibArchive INTERFACE LINKER:--gc-sections)
endif()
