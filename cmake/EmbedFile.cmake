# cmake -D INPUT=file -D OUTPUT=file.inc -P EmbedFile.cmake
# Writes the bytes of a file as the elements of an array.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "${bytes}\n")
