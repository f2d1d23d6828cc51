/* line_editor.h - lines with editing, history and completion, for the prompt
 * of the program. */
#ifndef LUNET_LUA_LINE_EDITOR_H
#define LUNET_LUA_LINE_EDITOR_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the editor, or nil where there is none or no terminal:
 *
 *   editor.name                "readline", "libedit"
 *   editor.read(prompt)        a line, which holds several where they were
 *                              pasted; false after Ctrl-C; nil at the end
 *   editor.remember(text)      adds it to the history
 *   editor.complete(line)      set by the caller: what may stand at the end of
 *                              the line, a list, and how many bytes of the
 *                              line each replaces
 *   editor.edit(text)          set by the caller: the text changed, or nil */
void ln_lua_push_line_editor(lua_State *L);
/* Was Ctrl-C pressed since the latest read, when nobody else listened? */
bool ln_line_editor_pressed(void);

#endif
