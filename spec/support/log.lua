--- What the log says while something runs.

local log = {}

--- Begins to collect; the returned function ends it and gives the text.
function log.capture()
	local stderr, parts = io.stderr, {}
	io.stderr = { -- luacheck: ignore 122
		write = function(self, ...)
			for index = 1, select("#", ...) do
				parts[#parts + 1] = tostring((select(index, ...)))
			end
			return self
		end,
	}
	return function()
		io.stderr = stderr -- luacheck: ignore 122
		return table.concat(parts)
	end
end

return log
