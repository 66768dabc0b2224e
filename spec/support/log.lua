--- Catches what the logger writes, in this process.

local log = {}

local lines
local stderr = io.stderr

local recorder = {}

function recorder:write(...)
	for _, text in ipairs({ ... }) do
		lines[#lines + 1] = tostring(text)
	end
	return self
end

function recorder.flush() end

--- From now on lines are kept instead of written. The returned function ends that, and gives them.
function log.capture()
	lines = {}
	io.stderr = recorder
	return function()
		log.release()
		return log.text()
	end
end

--- Back to normal.
function log.release()
	io.stderr = stderr
end

--- Everything since the capture.
function log.text()
	return table.concat(lines)
end

--- How many records of a level there are: "E", "W", "I", "D".
function log.count(level)
	local count = 0
	for _, line in ipairs(lines) do
		if line:find("^%d+%-%d+%-%d+ %d+:%d+:%d+ %x+ " .. level .. " ") then
			count = count + 1
		end
	end
	return count
end

return log
