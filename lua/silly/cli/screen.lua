--- The terminal as a page that is written over in place, and left as it was.

local screen = {}

--- Where there is no other way to learn how many lines fit.
local USUAL_LINES = 24

local entered = false

--- Whether stdout is a terminal. The shell asks, since Lua has no way.
function screen.is_terminal()
	local first = os.execute("test -t 1")
	return first == true or first == 0
end

local function height()
	local pipe = io.popen("stty size </dev/tty 2>/dev/null")
	local text = pipe and pipe:read("*a") or ""
	if pipe then
		pipe:close()
	end
	local lines = tonumber(text:match("^(%d+)"))
	return lines and lines > 0 and lines or USUAL_LINES
end

--- Takes over: the alternate screen, no cursor, no lines that wrap.
function screen.enter()
	entered = true
	io.write("\27[?1049h\27[?25l\27[?7l")
end

--- Writes lines over what is there; those that do not fit are left out.
---@param lines string[]
function screen.show(lines)
	local parts = { "\27[H" }
	for index = 1, math.min(#lines, height()) do
		parts[#parts + 1] = (index > 1 and "\r\n" or "") .. lines[index] .. "\27[K"
	end
	parts[#parts + 1] = "\27[J"
	io.write(table.concat(parts))
	io.flush()
end

--- Gives the terminal back as it was.
function screen.leave()
	if entered then
		entered = false
		io.write("\27[?7h\27[?25h\27[?1049l")
		io.flush()
	end
end

return screen
