-- What `make forecasts` writes: one row for each board, company and kind of knowledge. The rating of the company's next model
-- is predicted by a Student t distribution of this mean, scale and degrees of freedom, on this scale of the board.
select
    forecast.board_id,
    forecast.company_id,
    forecast.forecast_model,
    forecast.captured_until,
    board_scale.scale_id,
    forecast.forecast_mean,
    forecast.forecast_scale,
    forecast.degrees_of_freedom,
    forecast.leads_probability
from marts.forecast
left join marts.board_scale on forecast.board_id = board_scale.board_id and board_scale.valid_to is null
where not forecast.is_retrospective
order by forecast.board_id, forecast.company_id, forecast.forecast_model
