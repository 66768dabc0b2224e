--- Which edition of silly scripts are written to. The documented one is the default; what the newest one
--- has different is little: when a handle connects, what callbacks are given, and the words for errors.

local core = require "silly.internal.core"
local errno = require "silly.errno"

if core.loaded.edition then
	return core.loaded.edition --[[@as silly.edition]]
end

---@class silly.edition
local edition = {
	--- The known ones, and the generation of the wire that their nodes speak.
	WIRES = { ["0.6"] = 1, ["0.7"] = 2 },
	DOCUMENTED = "0.6",
	--- whether the newest one was asked for
	newest = false,
}
core.loaded.edition = edition

--- What this library says itself, and the newest edition's words for it.
local WORDS = {
	timeout = errno.TIMEDOUT,
	["read timeout"] = errno.TIMEDOUT,
	["end of file"] = errno.EOF,
	closed = errno.CLOSED,
	["socket closed"] = errno.CLOSED,
	["socket is closed"] = errno.CLOSED,
	["active closed"] = errno.CLOSED,
	["peer closed"] = "Peer closed",
	["getaddrinfo failed"] = errno.RESOLVE,
}

--- The system's words, and the same with their number.
local SYSTEM = {}
for _, number in pairs(core.errno_numbers) do
	SYSTEM[core.errno_text(number)] = errno[number]
end

--- Why something failed, in the words of the edition that was asked for. The newest one has the system's
--- with their number and without the address.
---@param why string?
---@return string?
function edition.reason(why)
	if not why or not edition.newest then
		return why
	elseif why:find("^lookup ") then
		return errno.RESOLVE
	end
	local system = why:match("^connect .-: (%u.*)$") or why
	return WORDS[why] or SYSTEM[system] or why
end

return edition
