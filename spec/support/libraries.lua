--- Libraries of others that some examples use, where the interpreter that runs the specs has them.

local shell = require "spec.support.shell"

local libraries = {
	--- Where Debian keeps libraries that are Lua alone for versions that it stopped at; later ones run the
	--- same files. To be put behind an interpreter's own path.
	PURE = "/usr/share/lua/5.3/?.lua;/usr/share/lua/5.2/?.lua",
}

--- Whether a module can be required; without a name there is nothing to require.
---@param name string?
function libraries.have(name)
	if not name then
		return true
	end
	local status = os.execute(("LUA_PATH=';;%s' %s -e \"require '%s'\" >/dev/null 2>&1"):format(
		libraries.PURE, shell.lua, name))
	return status == true or status == 0
end

return libraries
